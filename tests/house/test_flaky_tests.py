"""A failed test that passes when run again fails the build, unless the list of flaky tests allows it until a day."""

import ast
import json
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

import run_again
from run_again import FlakyTest, read_list

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "run_again.py"
MAX_ENTRIES, MAX_DAYS = 2, 31
# One test that always passes, one that fails the first time, and one that fails each time where it is told to.
TESTS = """
import os
from pathlib import Path
import pytest

def test_steady():
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_flaky(number):
    marker = Path(f"seen-{number}")
    is_first = not marker.exists()
    marker.touch()
    assert number == 1 or not is_first

def test_broken():
    assert "BROKEN" not in os.environ
"""
FLAKY = "tests/test_generated.py::test_flaky"
TODAY = date.today()
TOMORROW = TODAY + timedelta(days=1)


def _build(folder: Path, allowed: str = "", **more: str) -> tuple[int, str]:
    """Run generated tests, and the failed ones again, as the Makefile does; return exit status and output."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_generated.py").write_text(TESTS)
    (folder / "tests" / "flaky.toml").write_text(allowed)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    only_xdist = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p xdist.plugin"}
    status, output = 0, ""
    for command in (["-m", "pytest", "--cache-clear", "-n", "1"], [str(SCRIPT), "1", "-q"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env={**variables, **only_xdist, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
        )
        status, output = done.returncode, output + done.stdout
        if status == 0:
            break
    return status, output


def _entry(until: date, test: str = FLAKY) -> str:
    return f'[[flaky]]\ntest = "{test}"\nuntil = {until}\nreason = "A generated test."\n'


def test_a_test_that_passes_only_the_second_time_fails_the_build(tmp_path: Path) -> None:
    """The report has both outcomes and how to list a test; an entry for one that fails twice allows nothing.

    Tests that passed are not run again.
    """
    status, output = _build(tmp_path, _entry(TOMORROW, "tests/test_generated.py::test_broken"), BROKEN="1")
    assert 1 == status, output
    report = output[output.index("2 failed; they run again") :]
    assert f"  {FLAKY}[2]\n    first run: failed; second run: passed; FLAKY, fails the build\n" in report
    assert "test_broken\n    first run: failed; second run: failed; FAILED\n" in report
    assert "1 failed, 1 passed" in report
    assert "test_steady" not in report
    assert "list it in tests/flaky.toml, at most two, each until a day" in report
    assert report.endswith("FAILED\n")


def test_a_listed_test_may_pass_the_second_time(tmp_path: Path) -> None:
    """The build passes, and the report names the test all the same."""
    status, output = _build(tmp_path, _entry(TOMORROW))
    assert 0 == status, output
    assert f"  {FLAKY}[2]\n    first run: failed; second run: passed; FLAKY, allowed by the list\nPASSED\n" in output


@pytest.mark.parametrize(
    ("test", "until", "expected"),
    [
        (FLAKY, TOMORROW, "PASSED"),
        (f"{FLAKY}[2]", TOMORROW, "PASSED"),
        (f"{FLAKY}[1]", TOMORROW, "FAILED"),
        (f"{FLAKY}_too", TOMORROW, "FAILED"),
        (FLAKY.removesuffix("y"), TOMORROW, "FAILED"),
        (FLAKY, TODAY, "FAILED"),
        (FLAKY, TODAY - timedelta(days=1), "FAILED"),
    ],
)
def test_an_entry_counts_before_its_day_and_for_its_test(test: str, until: date, expected: str) -> None:
    """With parameters for one case, without for all."""
    report = run_again.verdict([f"{FLAKY}[2]"], [], [FlakyTest(test, until, "")], TODAY)
    assert expected == report.rpartition("\n")[2]


@pytest.mark.parametrize(
    "content", ['[[flaky]]\ntest = "x"\nuntil = "2027-01-01"\nreason = ""', '[[flaky]]\ntest = "x"', "[[flaky"]
)
def test_a_list_that_cannot_be_read_fails_the_build(tmp_path: Path, content: str) -> None:
    """An entry needs a test, a date and a reason."""
    (tmp_path / "flaky.toml").write_text(content)
    with pytest.raises((ValueError, TypeError)):
        read_list(tmp_path / "flaky.toml")


@pytest.mark.parametrize("failed", [0, run_again.MAX_RUN_AGAIN + 1])
def test_none_and_many_are_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], failed: int
) -> None:
    """Without failed tests in the cache the run failed for another reason; many do not fail by chance."""
    monkeypatch.chdir(tmp_path)
    run_again.LAST_FAILED.parent.mkdir(parents=True)
    run_again.LAST_FAILED.write_text(json.dumps({f"{FLAKY}[{number}]": True for number in range(failed)}))
    assert 1 == run_again.main(1, [])
    assert ("", "") == tuple(capfd.readouterr())


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_a_run_that_was_broken_off_stays_so(status: int) -> None:
    """Only failed tests are run again."""
    assert status == run_again.main(status, [])


def test_the_makefile_gives_no_test_a_second_chance_elsewhere() -> None:
    """Each target with tests reports to `run_again.py`, from an empty cache; no plug-in runs tests again."""
    runs = re.findall(r"\$\(BIN\)/pytest .*--cache-clear .*\|\| \$\(RUN_AGAIN\)", (ROOT / "Makefile").read_text())
    assert 6 == len(runs)
    locked = "".join(path.read_text() for path in (ROOT / "requirements").glob("*.lock"))
    assert not re.search(r"^(pytest-rerunfailures|flaky|pytest-retry)==", locked, re.MULTILINE)
    assert "reruns" not in (ROOT / "pyproject.toml").read_text()


def _exists(entry: FlakyTest) -> bool:
    path, _, name = entry.test.partition("::")
    functions = ast.walk(ast.parse((ROOT / path).read_text())) if (ROOT / path).is_file() else []
    name = name.partition("[")[0]
    return any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name for one in functions)


def _faults(entries: list[FlakyTest], today: date) -> list[str]:
    faults = [f"more than {MAX_ENTRIES} entries"] if len(entries) > MAX_ENTRIES else []
    for entry in entries:
        if not _exists(entry):
            faults.append(f"{entry.test}: no such test")
        if entry.until > today + timedelta(days=MAX_DAYS):
            faults.append(f"{entry.test}: until more than {MAX_DAYS} days from today")
        if not entry.reason.strip():
            faults.append(f"{entry.test}: no reason")
    return faults


def test_the_list_is_short_and_ends() -> None:
    """At most two tests that exist, each with a reason and a date within a month."""
    assert [] == _faults(read_list(ROOT / run_again.LIST), TODAY)


def test_a_list_with_faults_is_found() -> None:
    """Three entries, a test that does not exist, a date far away, and no reason."""
    this = "tests/house/test_flaky_tests.py::test_a_list_with_faults_is_found"
    good = FlakyTest(this, TODAY + timedelta(days=MAX_DAYS), "It is an example.")
    assert [] == _faults([good], TODAY)
    late = FlakyTest(f"{this}[x]", TODAY + timedelta(days=MAX_DAYS + 1), " ")
    unknown = FlakyTest(f"{this}_not", TODAY, "It is gone.")
    assert [
        "more than 2 entries",
        f"{late.test}: until more than 31 days from today",
        f"{late.test}: no reason",
        f"{unknown.test}: no such test",
    ] == _faults([good, late, unknown], TODAY)
