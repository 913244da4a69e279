"""Every error ends the program with the exit code that the documentation gives it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vestibule.client.errors
from vestibule.cli.frame.exit_codes import ExitCode, exit_code_of
from vestibule.contracts import errors
from vestibule.contracts.errors import VestibuleError

PAGE = Path(__file__).parents[4] / "docs" / "command-line.md"
# What is listed here is all that does not end with 1.
EXPECTED = {
    ExitCode.BLOCKED: {"PersonalDataFound", "ResultRefused"},
    ExitCode.UNAUTHORIZED: {"InvalidToken", "ScopeMissing", "TooManyAuthFailures"},
    ExitCode.NOT_FOUND: {"ResultExpired", "TokenRetired", "WebhooksDisabled", "UnknownToken"},
    ExitCode.CONFLICT: {"PreconditionFailed", "IdempotencyKeyReused"},
    ExitCode.UNREACHABLE: {"Unavailable", "NoAnswer", "Unreachable", "UnexpectedAnswer"},
    ExitCode.TIMED_OUT: {"TimedOut", "WaitTimedOut"},
}


def _tree(kind: type[VestibuleError]) -> Iterator[type[VestibuleError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


CLASSES = sorted(
    {one for one in _tree(VestibuleError) if one.__module__ in (errors.__name__, vestibule.client.errors.__name__)},
    key=lambda one: one.__name__,
)


def _expected(kind: type[VestibuleError]) -> ExitCode:
    named = [code for code, names in EXPECTED.items() if kind.__name__ in names]
    if named:
        return named[0]
    if issubclass(kind, errors.NotFound):
        return ExitCode.NOT_FOUND
    return ExitCode.CONFLICT if issubclass(kind, errors.Conflict) else ExitCode.FAILED


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_has_its_code(kind: type[VestibuleError]) -> None:
    """The whole tree, with the errors of the client."""
    assert _expected(kind) is exit_code_of(kind)


def test_every_expectation_is_of_a_class() -> None:
    """A class that is gone leaves the table."""
    assert set() == {name for names in EXPECTED.values() for name in names} - {kind.__name__ for kind in CLASSES}


def test_the_page_lists_the_codes() -> None:
    """A script is written by the page."""
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)}
    assert {code.value for code in ExitCode} == listed
