#!/usr/bin/env python3
"""Measure the detector's speed, start and memory, side by side with other tools in one run.

usage: python benchmarks/detection.py [--data DIR] [--tools vestibule,presidio,scrubadub,datafog] [--json]

DIR holds JSON lines of {"text": ...}; without it texts are made up. The others take part where they are installed
(benchmarks/requirements-detection.txt). Presidio runs with its pattern recognizers on a blank spaCy pipeline: the
models that it finds names with are not on PyPI, and would make it slower, not faster.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SEED = 7
SIZES = {"60 B": (40, 80), "500 B": (400, 600)}
MOST_TEXTS = {"60 B": 2_000, "500 B": 400}
LONG_BYTES = 100_000
SLOW_CHARS = 20_000
Scan = Callable[[str], object]


def build_vestibule() -> Scan:
    """Give Vestibule's scanner as a service has it."""
    from vestibule.detection import Scanner  # noqa: PLC0415

    return Scanner.from_settings().scan


def build_presidio() -> Scan:
    """Give Presidio's pattern recognizers on a blank pipeline."""
    import spacy  # noqa: PLC0415
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import SpacyNlpEngine  # noqa: PLC0415

    class Blank(SpacyNlpEngine):
        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}

    engine = Blank()
    engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    return lambda text: analyzer.analyze(text=text, language="en", score_threshold=0.4)


def build_scrubadub() -> Scan:
    """Give scrubadub with its default detectors."""
    import scrubadub  # noqa: PLC0415

    scrubber = scrubadub.Scrubber()
    return lambda text: list(scrubber.iter_filth(text))


def build_datafog() -> Scan:
    """Give datafog's regular expressions."""
    import datafog  # noqa: PLC0415

    return lambda text: datafog.scan(text, engine="regex")


TOOLS = {
    "vestibule": build_vestibule,
    "presidio": build_presidio,
    "scrubadub": build_scrubadub,
    "datafog": build_datafog,
}
SLOW_TEXTS = {
    "a.a.a.": "a." * (SLOW_CHARS // 2),
    "key=key=": "key=" * (SLOW_CHARS // 4),
    "1 1 1 1": "tel " + "1 " * (SLOW_CHARS // 2),
    "digits": "card " + "4" * SLOW_CHARS,
    "1234 1234": "card tel iban " + "1234 " * (SLOW_CHARS // 5),
    "a@a@a@": "a@" * (SLOW_CHARS // 2),
    "::::": ":" * SLOW_CHARS,
    "1.1.1.1": "1." * (SLOW_CHARS // 2),
    "%40%40": "%40" * (SLOW_CHARS // 3),
    "base64": "QUFBQUFBQUFBQUFBQUFBQUFB " * (SLOW_CHARS // 25),
    "password is": "password is " * (SLOW_CHARS // 12),
    "passport 1": "passport 123456789 " * (SLOW_CHARS // 19),
    "----": "-" * SLOW_CHARS,
    "token: ": "token: " * (SLOW_CHARS // 7),
    "0x0x": "0x" * (SLOW_CHARS // 2),
    "(1) (1)": "phone " + "(1) " * (SLOW_CHARS // 4),
    "\\u200b": "1\u200b" * (SLOW_CHARS // 2),
}


def read_texts(folder: Path | None) -> list[str]:
    """Give the texts of the folder, or made-up ones: clean lines, and every tenth with something to find."""
    if folder:
        lines = (line for path in sorted(folder.glob("*.jsonl")) for line in path.open(encoding="utf-8"))
        return [json.loads(line)["text"] for line in lines]
    random.seed(SEED)
    words = [
        "the",
        "order",
        "of",
        "a",
        "report",
        "was",
        "sent",
        "to",
        "our",
        "office",
        "in",
        "time",
        "for",
        "its",
        "42",
        "pages",
    ]
    found = ("mail ada@example.com", "ssn 536-90-4399", "card 4111 1111 1111 1111", "call +44 20 7946 0958")
    texts = []
    for size in (60, 500):
        for number in range(1_000):
            text = " ".join(random.choices(words, k=size // 5))[: size - 25]
            texts.append(f"{text} {random.choice(found)}" if number % 10 == 0 else text + " " + "lorem ipsum " * 2)
    return texts


def measure(scan: Scan, texts: list[str], rounds: int = 3) -> dict[str, float]:
    """Give p50, mean and p99 in microseconds over the best of some rounds for each text."""
    best = [float("inf")] * len(texts)
    for _ in range(rounds):
        for at, text in enumerate(texts):
            began = time.perf_counter()
            scan(text)
            best[at] = min(best[at], time.perf_counter() - began)
    best.sort()
    took = [1e6 * seconds for seconds in best]
    return {"p50": took[len(took) // 2], "mean": sum(took) / len(took), "p99": took[int(0.99 * len(took))]}


def measure_one(tool: str, folder: Path | None) -> dict[str, object]:
    """Measure one tool in this process."""
    import resource  # noqa: PLC0415

    bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    scan = TOOLS[tool]()
    scan("ada@example.com")
    out: dict[str, object] = {"start_s": time.perf_counter() - began}
    out["memory_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - bare) / 1024
    texts = read_texts(folder)
    random.seed(SEED)
    random.shuffle(texts)
    for name, (low, high) in SIZES.items():
        chosen = [text for text in texts if low <= len(text.encode("utf-8", "replace")) <= high]
        out[name] = measure(scan, chosen[: MOST_TEXTS[name]], 1 if tool == "presidio" else 3)
    long = "\n".join(texts)[:LONG_BYTES]
    if tool == "vestibule":
        scan(long)  # compiles the expressions of rules that were not used so far
    began = time.perf_counter()
    scan(long)
    out["100 kB, MB/s"] = len(long.encode()) / 1e6 / (time.perf_counter() - began)
    slow = {}
    for name, text in SLOW_TEXTS.items():
        began = time.perf_counter()
        scan(text)
        slow[name] = 1_000 * (time.perf_counter() - began)
    worst = max(slow, key=lambda name: slow[name])
    out |= {"slow_ms": slow[worst], "slowest": worst, "all_slow_ms": slow}
    return out


def main() -> None:
    """Measure each tool in a process of its own, one after the other."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path)
    ask.add_argument("--tools", default=",".join(TOOLS))
    ask.add_argument("--timeout-s", type=float, default=180)
    ask.add_argument("--json", action="store_true")
    ask.add_argument("--only", help=argparse.SUPPRESS)
    given = ask.parse_args()
    if given.only:
        print(json.dumps(measure_one(given.only, given.data)))
        return
    for tool in given.tools.split(","):
        command = [sys.executable, __file__, "--only", tool, *(["--data", str(given.data)] if given.data else [])]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=given.timeout_s, check=False)
        except subprocess.TimeoutExpired:
            print(f"{tool}: not done within {given.timeout_s:g} s")
            continue
        if done.returncode:
            print(f"{tool}: left out: {done.stderr.strip().splitlines()[-1:]}")
            continue
        show(tool, json.loads(done.stdout.splitlines()[-1]), given.json)


def show(tool: str, out: dict[str, object], as_json: bool) -> None:
    """Print one tool's figures."""
    if as_json:
        print(json.dumps({"tool": tool, **out}))
        return
    sizes = "  ".join(f"{name} {' / '.join(f'{v:.1f}' for v in out[name].values())} us" for name in SIZES)  # type: ignore[attr-defined]
    print(
        f"{tool:10} {sizes}  100 kB {out['100 kB, MB/s']:.2f} MB/s  slow {out['slow_ms']:.0f} ms ({out['slowest']})  "
        f"start {out['start_s']:.2f} s  memory {out['memory_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
