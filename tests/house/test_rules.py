"""The rules of the code base: imports, sizes, docstrings, environment and lock files."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_MODULES = 400, 60, 15
# Folders that grow by one file for each kind of thing.
GROWING_FOLDERS = {"detectors", "processors", "channels", "migrations"}
LAYERED_PACKAGES = {
    *("client_service", "database_service", "scheduler_service", "business_logic_service", "service_kit"),
}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_commands_print_through_one_function() -> None:
    """`echo` escapes what would control a terminal; lines of logs are escaped where they are made."""
    # The version is printed before anything is loaded.
    own = {"options.py", "logs.py", "supervisor_log.py", "entry_point.py"}
    commands = [path for path in MODULES if "cli" in path.parts and path.name not in own]
    printing = re.compile(r"\btyper\.echo\(|(?<![.\w])print\(|\bsys\.stdout\.write\(")
    assert [] == [str(path) for path in commands if printing.search(path.read_text())]


def test_fields_of_log_lines_are_bound_in_one_place() -> None:
    """What structlog's own context variables hold would not be in any line (`runtime/log_context.py`)."""
    assert [] == [str(path) for path in MODULES if "structlog.contextvars" in path.read_text()]


def test_import_contracts_hold() -> None:
    """The import contracts of pyproject.toml hold."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == ended.returncode, ended.stdout


def test_no_file_is_too_long() -> None:
    """A file has at most 400 lines."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {} == {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES}


def test_every_service_has_a_layers_contract() -> None:
    """The layers inside each service and the service kit are contracts of import-linter."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = {container for one in contracts if one["type"] == "layers" for container in one["containers"]}
    assert set() == {f"vestibule.{name}" for name in LAYERED_PACKAGES} - layered


def test_no_folder_has_too_many_modules() -> None:
    """A folder has at most 15 modules, unless it grows by one file for each detector, channel and the like."""
    counts = Counter(
        str(path.parent.relative_to(ROOT))
        for path in MODULES
        if path.name != "__init__.py" and not GROWING_FOLDERS & set(path.parts)
    )
    assert {} == {folder: count for folder, count in counts.items() if count > MAX_MODULES}


def test_no_function_is_too_long() -> None:
    """A function body has fewer than 60 lines."""
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in MODULES
        for function in _functions(path)
        if (function.end_lineno or 0) - function.body[0].lineno >= MAX_FUNCTION_LINES
    }
    assert set() == long


def test_every_module_says_its_purpose() -> None:
    """The first line of every module and package is a sentence about it."""
    first_lines = {
        str(path.relative_to(ROOT)): (ast.get_docstring(_tree(path)) or "").partition("\n")[0] for path in MODULES
    }
    assert {} == {path: line for path, line in first_lines.items() if not re.match(r"\S.*[.:;]$", line)}


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
    """Services read their options through settings; the command line, which starts processes, and clients do not."""
    readers = {
        str(path.relative_to(ROOT / "src" / "vestibule"))
        for path in MODULES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    }
    assert {"client/configuration.py"} == {reader for reader in readers if not reader.startswith("cli/")}


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
