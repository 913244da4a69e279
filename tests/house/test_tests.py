"""Every test can fail, none patches a clock, and none waits for a fixed time unless time is its subject."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = {path: ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
EXPECTING = {"pytest.raises", "pytest.warns", "pytest.fail"}
# Fixtures of conftest.py that are functions: they fail where a condition does not hold in time.
WAITING = {"wait_until", "until"}
SLEEPS = {"time.sleep", "asyncio.sleep"}
# Files where the time is the input, with the reason.
FIXED_WAITS = {
    "journeys/test_hostile_callers.py": "a body that pauses for less than the time limit",
    "journeys/test_task_faults.py": "a fault lasts for some time under load",
    "journeys/test_task_recovery.py": "a server is away for some time under load",
    "unit/service_kit/test_service_client.py": "a stream that lasts for longer than a call may",
}
CLOCK_MODULES = {"time", "datetime"}
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "datetime", "sleep"}
# What patches: `monkeypatch.setattr`, `mock.patch`, `mock.patch.object`, `setattr`.
PATCHING = {"setattr", "patch", "object", "delattr"}
CLOCK_PATCHERS = {"freezegun", "time_machine"}
# Constants that tests fill, and those that depend on what the machine has: its tests are skipped then.
EMPTY_AT_FIRST = {"test_kubernetes.py VALID", "test_clock.py LIBRARIES", "test_beside_presidio.py DIFFERENCES"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> Iterator[Function]:
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def _called(node: ast.AST) -> set[str]:
    calls = [ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)]
    return {call.rpartition(".")[2] for call in calls if not call.startswith("asyncio.")}


def _can_fail(node: ast.AST, helpers: set[str]) -> bool:
    nodes = list(ast.walk(node))
    has_own = any(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and ast.unparse(node) in EXPECTING)
        for node in nodes
    )
    return has_own or bool(_called(node) & (helpers | WAITING))


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
        (f"{path.relative_to(TESTS)} {test.name}", _can_fail(test, helpers))
        for path, tree in MODULES.items()
        for helpers in [SHARED | _helpers(tree)]
        for test in _functions(tree)
        if test.name.startswith("test_")
    ]
    assert len(tests) > 1000
    assert [] == [name for name, can_fail in tests if not can_fail]


class _CheckedTest:
    """Finds whether an assertion of a test surely runs, also where a loop has nothing to go through."""

    def __init__(self, tree: ast.Module, helpers: set[str]) -> None:
        self._helpers = helpers
        # What is imported under such a name is a constant or an enumeration of the code, and has members.
        self._filled = {
            name.asname or name.name
            for one in tree.body
            if isinstance(one, ast.ImportFrom)
            for name in one.names
            if name.name[0].isupper()
        }
        for one in tree.body:
            self._learn(one)

    def checks(self, statements: Sequence[ast.stmt]) -> bool:
        """Say whether one of the statements surely asserts something."""
        return any(self._checks_one(one) for one in statements)

    def _checks_one(self, one: ast.stmt) -> bool:
        self._learn(one)
        checks = False
        match one:
            case ast.For() | ast.AsyncFor():
                checks = self._fails(one.iter) or (self._is_filled(one.iter) and self.checks(one.body))
            case ast.While():
                checks = self._fails(one.test) or (isinstance(one.test, ast.Constant) and self.checks(one.body))
            case ast.If():
                checks = self._fails(one.test) or (self.checks(one.body) and self.checks(one.orelse))
            case ast.With() | ast.AsyncWith():
                checks = any(self._fails(item.context_expr) for item in one.items) or self.checks(one.body)
            case ast.Try():
                checks = self.checks([*one.body, *one.orelse, *one.finalbody])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass  # it may never be called
            case _:
                checks = self._fails(one)
        return checks

    def _fails(self, node: ast.AST) -> bool:
        return _can_fail(node, self._helpers)

    def _learn(self, one: ast.stmt) -> None:
        if isinstance(one, ast.Assign) and self._is_filled(one.value):
            self._filled.update(ast.unparse(target) for target in one.targets)

    def _is_filled(self, node: ast.expr) -> bool:
        """Say whether a collection, as the code stands, has something in it."""
        parts: Sequence[ast.expr]
        match node:
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts) | ast.Dict(values=parts):
                return bool(parts)
            case ast.Name(id=name):
                return name in self._filled
            case ast.ListComp(generators=loops) | ast.GeneratorExp(generators=loops) | ast.SetComp(generators=loops):
                return all(self._is_filled(loop.iter) and not loop.ifs for loop in loops)
            case ast.BinOp(left=left, right=right):
                return self._is_filled(left) or self._is_filled(right)
            case ast.Subscript(value=inner) | ast.Starred(value=inner):
                parts = [inner]
            case ast.Call(func=ast.Attribute(value=inner, attr="items" | "values" | "keys" | "splitlines" | "split")):
                parts = [inner]
            case ast.Call(func=ast.Name(id="enumerate" | "sorted" | "reversed" | "zip" | "product"), args=parts):
                pass
            case _:
                is_constant = isinstance(node, ast.Constant) and bool(node.value)
                return is_constant or (isinstance(node, ast.Call) and ast.unparse(node.func) == "range")
        return all(map(self._is_filled, parts))


def _is_generated(function: Function) -> bool:
    """Say whether Hypothesis draws the arguments, among them those that a loop goes through."""
    return any(ast.unparse(one).startswith("given(") for one in function.decorator_list)


def test_every_test_surely_asserts() -> None:
    """No test passes because what it goes through is empty: one assertion is outside of such loops and branches."""
    unsure = [
        f"{path.relative_to(TESTS)} {test.name}"
        for path, tree in MODULES.items()
        for helpers in [SHARED | _helpers(tree)]
        for test in _functions(tree)
        if test.name.startswith("test_") and not _is_generated(test)
        if not _CheckedTest(tree, helpers).checks(test.body)
    ]
    assert [] == unsure


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for one in found(): assert one", False),
        ("for one in SOURCES: assert one", False),
        ("for one in []: assert one", False),
        ("for one in [1, 2]: assert one", True),
        ("for one in Kind: assert one", True),
        ("ways = {1: 2}\n for one, other in ways.items(): assert one", True),
        ("some = found()\n assert some\n for one in some: print(one)", True),
        ("if found(): assert True", False),
        ("while found(): assert True", False),
        ("def inner(): assert True", False),
        ("with found():\n  assert True", True),
    ],
)
def test_an_assertion_that_may_not_run_is_found(body: str, expected: bool) -> None:
    """In a loop over what may be empty, in a branch, or in a function that nobody calls."""
    code = f"from vestibule import Kind\nSOURCES = sorted(root.rglob('*'))\ndef test_it():\n {body}"
    tree = ast.parse(code)
    (test,) = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
    assert expected == _CheckedTest(tree, set()).checks(test.body)


def test_collected_constants_are_not_empty(request: pytest.FixtureRequest) -> None:
    """What a module collects when it is loaded, such as files, is there: a wrong path finds none."""
    modules = {item.module for item in request.session.items if isinstance(item, pytest.Function)}
    collected = {
        f"{Path(str(module.__file__)).name} {name}": value
        for module in modules
        for name, value in vars(module).items()
        if name.lstrip("_").isupper() and isinstance(value, list | tuple | set | dict)
    }
    assert f"{Path(__file__).name} MODULES" in collected
    assert set() == {name for name, value in collected.items() if not value} - EMPTY_AT_FIRST


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
    match node:
        case ast.Import(names=names):
            return any(name.name in CLOCK_PATCHERS for name in names)
        case ast.ImportFrom(module=module):
            return module in CLOCK_PATCHERS
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Attribute) and _is_of_clock_module(target.value) for target in targets)
        case ast.Call(func=function, args=[*arguments]) if ast.unparse(function).rpartition(".")[2] in PATCHING:
            names = [one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            return any(name.rpartition(".")[2] in CLOCKS for name in names) or any(map(_is_of_clock_module, arguments))
    return False


def _is_of_clock_module(node: ast.AST) -> bool:
    """Say whether an expression is `time`, `datetime`, or a module of the code with the clock that it imports."""
    return ast.unparse(node).rpartition(".")[2] in CLOCK_MODULES


def test_clocks_are_parameters() -> None:
    """No test patches a clock: the code takes its clocks as parameters."""
    patching = {
        str(path.relative_to(TESTS))
        for path, tree in MODULES.items()
        if any(_patches_a_clock(node) for node in ast.walk(tree))
    }
    assert set() == patching


@pytest.mark.parametrize(
    "code",
    [
        'monkeypatch.setattr(module, "datetime", Shown)',
        'monkeypatch.setattr("vestibule.runtime.backoff.time.monotonic", lambda: 0.0)',
        'monkeypatch.setattr(time, "anything", lambda: 0.0)',
        'mock.patch.object(module.time, "sleep")',
        'mock.patch("vestibule.runtime.backoff.time")',
        "module.time.monotonic = lambda: 0.0",
        "import freezegun",
        "from time_machine import travel",
    ],
)
def test_a_patched_clock_is_found(code: str) -> None:
    """In each way that it can be written."""
    assert any(_patches_a_clock(node) for node in ast.walk(ast.parse(code)))
