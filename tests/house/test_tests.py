"""Every test can fail: it asserts, expects an error, or calls a helper that does."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = {path: ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
EXPECTING = {"pytest.raises", "pytest.warns", "pytest.fail"}
# Fixtures of conftest.py that are functions: they fail where a condition does not hold in time.
WAITING = {"wait_until", "until"}
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
