"""How many rules of gitleaks and Presidio are taken over, and whether they find what the originals find.

usage: python -m benchmarks.rules [--gitleaks CHECKOUT --go GO] [--presidio CHECKOUT]

The samples of gitleaks are those that its own generator tries its rules with, printed by a Go program made of its
sources in the checkout and ours in `gitleaks_samples`; it needs no module of others. Those of Presidio are the texts in
the tests of its recognizers, and what is found in them is asked of Presidio itself (`make test-presidio` installs it).
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from vestibule.client_service.compat.presidio.names import asked_entities
from vestibule.detection import Scanner
from vestibule.detection.catalogue import list_detectors
from vestibule.detection.importing import Imported, ImportOutcome, import_rules
from vestibule.detection.options import DEFAULTS
from vestibule.detection.rule_files.reading import read_rule_file
from vestibule.detection.rule_files.writing import write_rule_file
from vestibule.detection.rules import Detector

HERE = Path(__file__).parent
THEIR_PYTHON = HERE.parent / ".tools" / "presidio" / "bin" / "python"
MODULE = "github.com/zricethezav/gitleaks/v8"
THRESHOLD = 0.4


def main() -> None:
    """Print what is taken and what is found, of each project that there is a checkout of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gitleaks", type=Path)
    parser.add_argument("--go", default="go")
    parser.add_argument("--presidio", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if options.gitleaks:
            compare_gitleaks(options.gitleaks, options.go, Path(made))
        if options.presidio:
            compare_presidio(options.presidio, Path(made))


def compare_gitleaks(checkout: Path, go: str, folder: Path) -> None:
    """Try each rule alone on its samples, as gitleaks does, and all rules together."""
    detectors = _taken(checkout / "config" / "gitleaks.toml", folder)
    rules = {rule.name: Scanner([detector], DEFAULTS) for detector in detectors for rule in detector.rules}
    together = Scanner(detectors, DEFAULTS)
    found = missed = hidden = other = flagged = 0
    began = time.process_time()
    for sample in _gitleaks_samples(checkout, go, folder):
        if (scanner := rules.get(sample["id"])) is None:
            continue
        for text in sample["found"] or ():
            found += 1
            missed += not scanner.scan(text)
            hidden += not together.scan(text)
        for text in sample["other"] or ():
            other += 1
            flagged += bool(scanner.scan(text))
    print(f"  samples {found:,}: missed {missed} by their rules alone, {hidden} by all together")
    print(f"  counter-examples {other}: flagged {flagged}; {time.process_time() - began:.1f} s of CPU time")


def compare_presidio(checkout: Path, folder: Path) -> None:
    """Try the patterns of all recognizers on the texts of their tests, beside Presidio."""
    analyzer = checkout / "presidio-analyzer"
    _taken(analyzer / "presidio_analyzer" / "conf" / "default_recognizers.yaml", folder)
    texts = sorted(set(_texts(analyzer / "tests")))
    asked = subprocess.run(
        [str(THEIR_PYTHON), str(HERE / "presidio_patterns.py")], input=json.dumps(texts), capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    answered = json.loads(asked.stdout)
    file = folder / "patterns.yaml"
    # JSON is YAML.
    file.write_text(json.dumps({"recognizers": answered["recognizers"]}))
    by_entity: dict[str, list[Detector]] = {}
    for detector in _taken(file, folder):
        by_entity.setdefault(detector.entity, []).append(detector)
    scanners = {entity: Scanner(some, DEFAULTS) for entity, some in by_entity.items()}
    wanted = missed = 0
    for text, found in zip(texts, answered["found"], strict=True):
        for entity, start, end, score in found:
            if score >= THRESHOLD:
                wanted += 1
                ours = scanners[entity].scan(text) if entity in scanners else []
                missed += not any(one.start < end and start < one.end for one in ours)
    print(f"  findings in {len(texts):,} texts: {wanted:,}, missed {missed}")


def _taken(file: Path, folder: Path) -> tuple[Detector, ...]:
    """Print what is taken of a file; return its detectors."""
    known = {detector.entity for detector in list_detectors()}
    imported = import_rules(file, lambda entity: bool(asked_entities([entity], known).names), THRESHOLD)
    print(f"{file.name}: {_counts(imported)}")
    if not imported.rules:
        return ()
    written = folder / f"{file.stem}-rules.toml"
    written.write_text(write_rule_file(imported.document, "measured"), encoding="utf-8")
    return read_rule_file(written)


def _counts(imported: Imported) -> str:
    return ", ".join(f"{imported.count(outcome)} {outcome}" for outcome in ImportOutcome)


def _gitleaks_samples(checkout: Path, go: str, folder: Path) -> Iterator[dict]:
    """Yield the samples of each rule, printed by the functions that make the rules."""
    generator = checkout / "cmd" / "generate" / "config"
    program = folder / "program"
    for part in ("rules", "utils"):
        shutil.copytree(generator / part, program / "cmd" / "generate" / "config" / part)
    shutil.copytree(checkout / "regexp", program / "regexp")
    for test in program.rglob("*_test.go"):
        test.unlink()
    places = {"config": "config", "secrets": "cmd/generate/secrets", "validate": "cmd/generate/config/utils"}
    for name, place in places.items():
        (program / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "gitleaks_samples" / f"{name}.go", program / place)
    calls = re.findall(r"^\t\t(rules\.\w+\(\)),", (generator / "main.go").read_text(), re.MULTILINE)
    body = "\n".join(f"\t{call}" for call in calls)
    source = f'package main\n\nimport "{MODULE}/cmd/generate/config/rules"\n\nfunc main() {{\n{body}\n}}\n'
    (program / "main.go").write_text(source)
    (program / "go.mod").write_text(f"module {MODULE}\n\ngo 1.24\n")
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "run", "."], cwd=program, env=environment, capture_output=True, text=True, check=True)
    yield from map(json.loads, done.stdout.splitlines())


def _texts(tests: Path) -> Iterator[str]:
    """Yield the texts in the tests of recognizers."""
    for path in tests.glob("test_*recognizer*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and 5 <= len(node.value) <= 400:
                yield node.value


if __name__ == "__main__":
    main()
