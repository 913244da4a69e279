"""The house keeps its own rules."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
LONGEST_FILE_LINES, LONGEST_FUNCTION_LINES = 500, 60
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_rooms_know_only_whom_they_may() -> None:
    """The import contracts of pyproject.toml hold."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == ended.returncode, ended.stdout


def test_no_file_is_too_long() -> None:
    """A file that nobody can read at once is several files."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {} == {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE_LINES}


def test_no_function_is_too_long() -> None:
    """A function whose body nobody can read at once is several functions."""
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in MODULES
        for function in _functions(path)
        if (function.end_lineno or 0) - function.body[0].lineno >= LONGEST_FUNCTION_LINES
    }
    assert set() == long


def test_every_module_says_its_purpose() -> None:
    """A module's first line is a sentence about it."""
    silent = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert [] == silent


def test_every_test_says_its_promise() -> None:
    """A test's first line is the sentence that it holds the code to."""
    silent = {
        f"{path.relative_to(ROOT)} {function.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for function in _functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    }
    assert set() == silent


def test_no_drawer_for_everything() -> None:
    """A name that says nothing collects everything."""
    paths = [path.relative_to(ROOT) for top in ("src", "tests") for path in (ROOT / top).rglob("*")]
    assert [] == [path for path in paths if path.stem in FORBIDDEN_NAMES and "__pycache__" not in path.parts]


def test_the_environment_is_read_by_settings_only() -> None:
    """Services read their options through settings; only the command line, which starts processes, sees the rest."""
    readers = {
        str(path.relative_to(ROOT / "src" / "vestibule"))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    }
    assert [] == sorted(reader for reader in readers if not reader.startswith("cli/"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_versions_and_hashes_and_no_address(lock: Path) -> None:
    """What is installed is exact and checked, and comes from wherever the machine gets its packages."""
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index|--extra-index|--find-links|--trusted-host)", text, re.MULTILINE)
    requirements = re.sub(r"\\\n", " ", text).splitlines()
    named = [line for line in requirements if line.strip() and not line.lstrip().startswith("#")]
    assert named
    assert [] == [line.split()[0] for line in named if "==" not in line.split()[0] or "--hash=sha256:" not in line]


def test_there_is_a_lock_for_running_and_for_developing() -> None:
    """The test above has something to look at."""
    assert {"run.lock", "dev.lock"} <= {lock.name for lock in LOCKS}
