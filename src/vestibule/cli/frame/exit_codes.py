"""The exit codes of the program, and which error ends it with which."""

from enum import IntEnum

from vestibule.contracts.errors import (
    Conflict,
    IdempotencyKeyReused,
    InvalidToken,
    NotFound,
    PersonalDataFound,
    PreconditionFailed,
    ResultExpired,
    ScopeMissing,
    TooManyAuthFailures,
    Unavailable,
    VestibuleError,
)


class ExitCode(IntEnum):
    """What the exit codes say; scripts can count on them."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    BLOCKED = 3
    UNAUTHORIZED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    UNREACHABLE = 7
    TIMED_OUT = 8
    INTERRUPTED = 130


# By class; a class that is not named has the code of its nearest parent, and `FAILED` where no parent is named. The
# errors of the client are named by their slugs, since importing them would load the client.
_OF_CLASS: dict[type[VestibuleError], ExitCode] = {
    PersonalDataFound: ExitCode.BLOCKED,
    InvalidToken: ExitCode.UNAUTHORIZED,
    ScopeMissing: ExitCode.UNAUTHORIZED,
    TooManyAuthFailures: ExitCode.UNAUTHORIZED,
    NotFound: ExitCode.NOT_FOUND,
    ResultExpired: ExitCode.NOT_FOUND,
    Conflict: ExitCode.CONFLICT,
    PreconditionFailed: ExitCode.CONFLICT,
    IdempotencyKeyReused: ExitCode.CONFLICT,
    Unavailable: ExitCode.UNREACHABLE,
}
_OF_SLUG = {
    "unreachable": ExitCode.UNREACHABLE,
    "unexpected-answer": ExitCode.UNREACHABLE,
    "no-answer": ExitCode.UNREACHABLE,
    "timed-out": ExitCode.TIMED_OUT,
    "wait-timed-out": ExitCode.TIMED_OUT,
}


def exit_code_of(kind: type[VestibuleError]) -> ExitCode:
    """Return the exit code for a class of errors."""
    if kind.slug in _OF_SLUG:
        return _OF_SLUG[kind.slug]
    return next((_OF_CLASS[parent] for parent in kind.__mro__ if parent in _OF_CLASS), ExitCode.FAILED)
