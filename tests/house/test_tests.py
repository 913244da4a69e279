"""Every test can fail, and none waits for a fixed time or patches a clock without need."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = {path: ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
EXPECTING = {"pytest.raises", "pytest.warns", "pytest.fail"}
# Fixtures of conftest.py that are functions: they fail where a condition does not hold in time.
WAITING = {"wait_until", "until"}
SLEEPS = {"time.sleep", "asyncio.sleep"}
# Files where the time is the subject, with the reason.
FIXED_WAITS = {
    "journeys/test_hostile_callers.py": "a body that pauses for less than the time limit",
    "journeys/test_task_faults.py": "a fault lasts for some time under load",
    "unit/alerts/test_alert_engine.py": "nothing ends while a channel is slow",
    "unit/cli/bench/test_command.py": "a server that takes some time for each answer",
    "unit/database_service/test_kills.py": "a process is killed at a random moment",
    "unit/service_kit/http/test_load_shedding.py": "requests become late",
    "unit/service_kit/test_service_client.py": "a peer that answers after the time limit",
}
CLOCKS = {"time", "monotonic", "perf_counter", "datetime"}
# Files that may patch a clock, with the reason; all other code takes its clock as a parameter.
PATCHED_CLOCKS = {
    "conftest.py": "`set_clock`, for tokens that expire",
    "unit/scheduler_service/test_monotonic_scheduler.py": "the clock of APScheduler",
    "unit/service_kit/auth/test_service_secret.py": "the secret is read again after some seconds",
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _called(function: Function) -> set[str]:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {ast.unparse(call).rpartition(".")[2] for call in calls if not ast.unparse(call).startswith("asyncio.")}


def _can_fail(function: Function, helpers: set[str]) -> bool:
    nodes = list(ast.walk(function))
    has_own = any(isinstance(node, ast.Assert) or ast.unparse(node) in EXPECTING for node in nodes)
    return has_own or bool(_called(function) & (helpers | WAITING))


def _helpers(tree: ast.Module) -> set[str]:
    """Return the functions of a module that are no tests and assert themselves."""
    return {one.name for one in _functions(tree) if not one.name.startswith("test_") and _can_fail(one, set())}


# Names that say that they assert: `start` and `render` of a helper are names that much else has too.
SHARED = {
    name
    for path, tree in MODULES.items()
    if not path.name.startswith("test_")
    for name in _helpers(tree)
    if name.startswith(("assert_", "expect_", "wait_"))
}


def test_every_test_can_fail() -> None:
    """No test passes whatever the code does."""
    tests = [
        (f"{path.relative_to(TESTS)} {test.name}", _can_fail(test, SHARED | _helpers(tree)))
        for path, tree in MODULES.items()
        for test in _functions(tree)
        if test.name.startswith("test_")
    ]
    assert len(tests) > 1000
    assert [] == [name for name, can_fail in tests if not can_fail]


def _fixed_waits(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls of `sleep` outside of loops that poll; a sleep of zero only lets others run."""
    polling = {node for loop in ast.walk(tree) if isinstance(loop, ast.While) for node in ast.walk(loop)}
    for node in ast.walk(tree):
        is_sleep = isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS
        if isinstance(node, ast.Call) and is_sleep and node not in polling and ast.unparse(node.args[0]) != "0":
            yield node


def test_fixed_waits_are_only_where_time_is_the_subject() -> None:
    """A test that waits for a condition asks for it until it holds; the files of `FIXED_WAITS` are all in use."""
    waiting = {str(path.relative_to(TESTS)) for path, tree in MODULES.items() if any(_fixed_waits(tree))}
    assert FIXED_WAITS.keys() == waiting


def _patches_a_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "monkeypatch.setattr":
        return False
    names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any(name.rpartition(".")[2] in CLOCKS for name in names)


def test_clocks_are_parameters() -> None:
    """No test patches a clock, but those of `PATCHED_CLOCKS`."""
    patching = {
        str(path.relative_to(TESTS))
        for path, tree in MODULES.items()
        if any(_patches_a_clock(node) for node in ast.walk(tree))
    }
    assert set() == patching - PATCHED_CLOCKS.keys()
