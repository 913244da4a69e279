"""Type checkers know what the methods of the client library take and return, from its public names alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYRIGHT = ROOT / ".tools" / "clients" / "node_modules" / ".bin" / "pyright"
PROGRAM = """
from vestibule.client import AsyncClient, Client

def one(client: Client) -> None:
    reveal_type(client.entries.read("a").version)
    reveal_type(list(client.tasks.list()))
    reveal_type(client.tasks.list().page())
    reveal_type(next(client.entries.watch()))
    client.entries.read("a").version = 3
    client.entries.add("a", 3)

async def other(client: AsyncClient) -> None:
    reveal_type((await client.entries.read("a")).expires_at)
    async for decision in client.decisions.stream():
        reveal_type(decision)
"""
TYPES = [
    "int",
    "list[Task]",
    "TaskPage",
    "EntryChange",
    "datetime | None",
    "Decision | MissedDecisions | SampledDecisions",
]


def _revealed(said: str, pattern: str) -> list[str]:
    return [re.sub(r"\b[a-z_]+\.", "", kind) for kind in re.findall(pattern, said)]


def test_mypy_knows_the_types(tmp_path: Path) -> None:
    """Results are read-only, and a wrong argument is an error."""
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300).stdout
    assert TYPES == _revealed(said, r'Revealed type is "([^"]*)"')
    assert [("9", "misc"), ("10", "arg-type")] == re.findall(r":(\d+): error: .*\[([a-z-]+)\]", said)


def test_pyright_knows_the_types(tmp_path: Path) -> None:
    """The same with the checker of many editors."""
    if not PYRIGHT.exists():
        pytest.skip("needs npm (make test-clients installs it with it)")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT / "src")]}))
    command = [PYRIGHT, "--outputjson", "--pythonpath", sys.executable, "program.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300).stdout
    found = json.loads(said)["generalDiagnostics"]
    texts = "\n".join(one["message"] for one in found if one["severity"] == "information")
    assert TYPES == _revealed(texts, r'(?m)is "([^"]*)"$')
    assert ["reportAttributeAccessIssue", "reportArgumentType"] == [
        one["rule"] for one in found if one["severity"] == "error"
    ]
