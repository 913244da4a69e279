"""Generators make clients of the descriptions that work: add, read, run, wait, and a refusal."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
TOOLS = HERE.parents[1] / ".tools" / "clients"
PACKAGES = {"client": "vestibule_api", "scheduler": "scheduler_api"}
# A badge is text, and the generator does not know its media type; the rest is what it would do to the files.
CONFIGURATION = "content_type_overrides: {image/svg+xml: text/html}\npost_hooks: []\n"
# It makes a call with JSON of this operation, which takes lines and rows as well.
STREAM = "POST /scan within detection"
LEFT_OUT = {"client": {(STREAM, "application/x-ndjson"), (STREAM, "text/csv")}, "scheduler": set[tuple[str, str]]()}
REFUSED = "Request rejected: `value` contains EMAIL_ADDRESS. Nothing was stored."


def _run(*command: str | Path, folder: Path, with_errors: bool = False) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr if with_errors else done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, system: Any) -> Path:
    """A folder with the descriptions of a running system."""
    folder = tmp_path_factory.mktemp("generated")
    for offset, name in ((0, "client"), (3, "scheduler")):
        described = system.http.get(f"{system.part_url(offset)}/openapi.json")
        (folder / f"{name}.json").write_text(described.text)
    return folder


def test_a_python_client_is_generated_and_works(folder: Path, system: Any) -> None:
    """openapi-python-client takes every operation of both services, and warns of what it leaves out alone: streams."""
    (folder / "configuration.yml").write_text(CONFIGURATION)
    for name, package in PACKAGES.items():
        options = ["--config", "configuration.yml", "--meta", "none", "--output-path", package]
        generate = [TOOLS / "bin" / "openapi-python-client", "generate", "--path", f"{name}.json", *options]
        said = _run(*generate, folder=folder, with_errors=True)
        assert set(re.findall(r"WARNING parsing (.+)\.\s+Unsupported content type (\S+)", said)) == LEFT_OUT[name]
        assert len(LEFT_OUT[name]) == said.count("WARNING")
    operations = sum(
        1 for methods in json.loads((folder / "client.json").read_text())["paths"].values() for _ in methods
    )
    made = [path for path in (folder / "vestibule_api" / "api").rglob("*.py") if path.name != "__init__.py"]
    assert operations == len(made)
    shutil.copy(HERE / "use_python.py", folder)
    urls = (system.url, system.part_url(3))
    found = json.loads(_run(TOOLS / "bin" / "python", "use_python.py", *urls, "SECRET_TOKEN", folder=folder))
    assert {"client", "database"} <= set(found.pop("parts"))
    assert {("EMAIL_ADDRESS", 9)} == {(one["entity"], one["start"]) for one in found.pop("findings")}
    assert {
        "version": 1,
        "value": "hello",
        "state": "succeeded",
        "result": "HELLO",
        "submitted": True,
        "status": 422,
        "detail": REFUSED,
        "scanned": ["EMAIL_ADDRESS"],
        "silence": "EMAIL_ADDRESS",
        "keys": ["python/1"],
        "badge": True,
    } == found


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_typescript_types_are_generated_and_work(folder: Path, system: Any) -> None:
    """openapi-typescript makes types with which a program compiles in strict mode, and which the answers have."""
    modules = TOOLS / "node_modules"
    if not modules.is_dir():
        pytest.skip("needs npm (make test-clients installs the generator with it)")
    (folder / "node_modules").symlink_to(modules)
    shutil.copy(HERE / "package.json", folder)
    shutil.copy(HERE / "use_typescript.ts", folder)
    for name in PACKAGES:
        generator = modules / ".bin" / "openapi-typescript"
        _run(generator, f"{name}.json", "--default-non-nullable=false", "-o", f"{name}.ts", folder=folder)
    strict = ["--strict", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom"]
    modules_as_node = ["--module", "nodenext", "--moduleResolution", "nodenext"]
    _run(modules / ".bin" / "tsc", *strict, *modules_as_node, "use_typescript.ts", folder=folder)
    urls = (system.url, system.part_url(3))
    found = json.loads(_run("node", "use_typescript.js", *urls, "SECRET_TOKEN", folder=folder))
    assert {"client", "database"} <= set(found.pop("parts"))
    assert {
        "version": 1,
        "value": "hello",
        "state": "succeeded",
        "result": "HELLO",
        "status": 422,
        "detail": REFUSED,
        "findings": ["EMAIL_ADDRESS"],
        "silence": "EMAIL_ADDRESS",
    } == found
