"""The errors of the client: those of the services, by the problem that they answer, and those without an answer.

VestibuleError                  the tree of `vestibule.contracts.errors`, and
├── NoAnswer                    whether the request had an effect is not known, unless `was_sent` is False
│   ├── Unreachable             nothing answers at the address, or the connection broke
│   └── TimedOut                no answer within the timeout
├── WaitTimedOut                what was waited for has not ended in time: `task_id`, and `last` what it was
└── UnexpectedAnswer            the answer does not come from Vestibule, or from another version of it
"""

from typing import Any

from vestibule.contracts import errors
from vestibule.contracts.errors import VestibuleError

# The members of every problem document.
STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance"})
# The nearest class where a problem has no type that this version knows.
OF_STATUS: dict[int, type[VestibuleError]] = {
    401: errors.InvalidToken,
    403: errors.ScopeMissing,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.ResultExpired,
    412: errors.PreconditionFailed,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.InvalidInput,
    429: errors.TooManyWaiting,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


class NoAnswer(VestibuleError):
    """No answer came: `was_sent` says whether the request may have arrived."""

    slug, title = "no-answer", "No answer"

    def __init__(self, detail: str, *, was_sent: bool, attempts: int = 1) -> None:
        """Take what happened, whether anything was sent, and how often it was tried."""
        super().__init__(detail)
        self.was_sent = was_sent
        self.attempts = attempts


class Unreachable(NoAnswer):
    """Nothing answers at the address, or the connection broke."""

    slug, title = "unreachable", "Vestibule is not reachable"


class TimedOut(NoAnswer):
    """No answer came within the timeout."""

    slug, title = "timed-out", "No answer in time"


class WaitTimedOut(VestibuleError):
    """What was waited for has not ended in time, and goes on: `task_id` names it, and `last` is what it was then."""

    slug, title = "wait-timed-out", "It has not ended in time"

    def __init__(self, task_id: str, timeout_s: float, last: Any = None) -> None:
        """Take the id of the task or job, how long it was waited for, and its last known status."""
        super().__init__(f"{task_id} has not ended within {timeout_s:g} s; it goes on.")
        self.task_id = task_id
        self.timeout_s = timeout_s
        self.last = last


class UnexpectedAnswer(VestibuleError):
    """The answer is not what Vestibule answers: another program is at the address, or another version."""

    slug, title = "unexpected-answer", "The answer does not come from Vestibule"


def error_of(
    status: int, problem: dict[str, Any], request_id: str | None, retry_after_s: float | None
) -> VestibuleError:
    """Return the error that a problem document describes, of the class that the service raised or the nearest."""
    kind = _CLASSES.get(str(problem.get("type", "")).rpartition("/")[2]) or _nearest(status)
    # Each class has a constructor of its own, for the service that raises it.
    error = kind.__new__(kind)
    detail = problem.get("detail")
    error.detail = detail if isinstance(detail, str) else f"The service answered {status}."
    error.args = (error.detail,)
    error.extra = {name: value for name, value in problem.items() if name not in STANDARD_MEMBERS}
    error.status, error.problem, error.request_id = status, problem, request_id
    if isinstance(error, errors.Unavailable):
        error.part = str(error.extra.get("part", ""))
    if retry_after_s is not None:
        error.__dict__["retry_after_s"] = retry_after_s
    return error


def _nearest(status: int) -> type[VestibuleError]:
    return OF_STATUS.get(status) or (errors.Refused if 400 <= status < 500 else VestibuleError)


def _by_slug(kind: type[VestibuleError]) -> dict[str, type[VestibuleError]]:
    found = {kind.slug: kind} if "slug" in vars(kind) else {}
    for child in kind.__subclasses__():
        found |= _by_slug(child)
    return found


_CLASSES = {slug: kind for slug, kind in _by_slug(VestibuleError).items() if kind.__module__ == errors.__name__} | {
    # Problems of the framework, which have no class.
    "malformed-request": errors.Refused,
    "method-not-allowed": errors.Refused,
    "overloaded": errors.Unavailable,
    "request-headers-too-large": errors.TooLarge,
    "request-timeout": errors.Refused,
    "route-not-found": errors.NotFound,
    "too-many-uploads": errors.TooManyWaiting,
}
