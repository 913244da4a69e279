"""The tree of everything that can go wrong and has a name.

    VestibuleError
    ├── Refused                what came in cannot be taken
    │   ├── InvalidInput       malformed, missing or out of bounds
    │   │   └── UnknownProcessor
    │   ├── TooLarge           over a size limit
    │   ├── PersonalDataFound  the scanner found what the policy blocks
    │   │   └── ResultRefused  and found it in what a processor made
    │   ├── NotProcessable     the processor cannot do this data
    │   ├── IdempotencyKeyReused   the key belongs to another request
    │   ├── ScanImpossible     the scanner could not judge in time: nothing passes
    │   ├── InvalidToken       no token, or one that nobody knows
    │   ├── TooManyStrangers   too many of those from one address
    │   └── ScopeMissing       a known token that may not do this
    ├── NotFound               nothing by that name
    │   ├── KeyNotFound
    │   ├── TaskNotFound
    │   ├── AlertNotFound
    │   ├── HeartbeatNotFound
    │   ├── ScheduleNotFound
    │   ├── MaintenanceNotFound
    │   ├── CallbacksOff       nobody is told of the ends of tasks here
    │   └── UnknownToken       nothing that stands for a value here
    ├── Conflict               not as things stand now
    │   ├── TaskConflict       the task is in another state
    │   └── RequestUnderWay    the same request is being served
    ├── PreconditionFailed     the entry is not what the caller expects
    ├── ResultExpired          it was here, and its time has passed
    │   └── TokenRetired       it stood for a value, and its key was retired
    └── Unavailable            a part that is needed does not answer

A use case raises these; the edge of a service renders them (`service_kit.problems`), and nothing in between catches
them to say something else. A detail is written for the caller and repeats nothing that the caller sent.
"""

from collections.abc import Mapping
from typing import ClassVar


class VestibuleError(Exception):
    """Base of the tree: a `detail` for the caller, and `extra` members of the problem document."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, object] = extra


class Refused(VestibuleError):
    """What came in cannot be taken."""


class InvalidInput(Refused):
    """Malformed, missing or out of bounds; `errors` says where, without repeating what was sent."""

    slug, title = "invalid-input", "Invalid input"


class UnknownProcessor(InvalidInput):
    """No processor goes by that name."""

    slug, title = "unknown-processor", "Unknown processor"


class TooLarge(Refused):
    """Over a size limit."""

    slug, title = "too-large", "Too large"


class PersonalDataFound(Refused):
    """The scanner found what the policy blocks; `findings` and `alert_id` say what and which alert."""

    slug, title = "personal-data", "Personal data or a secret was found"


class ResultRefused(PersonalDataFound):
    """The scanner found in a processor's result what the policy blocks."""

    slug, title = "result-refused", "Personal data or a secret was found in the result"


class NotProcessable(Refused):
    """The processor cannot do this data; `kind` says why."""

    slug, title = "not-processable", "The processor cannot do this"


class ScanImpossible(Refused):
    """The scanner could not judge the text within its bounds, so it does not pass."""

    slug, title = "scan-budget-exceeded", "The text could not be checked in time"


class InvalidToken(Refused):
    """No token, or one that nobody knows."""

    slug, title = "invalid-token", "Missing or unknown token"


class TooManyAuthFailures(Refused):
    """Too many unknown tokens from one address; after `retry_after_s` seconds it may try again."""

    slug, title = "too-many-auth-failures", "Too many unknown tokens"

    def __init__(self, detail: str, retry_after_s: int = 60) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ScopeMissing(Refused):
    """A known token that may not do this."""

    slug, title = "scope-missing", "The token does not allow this"


class NotFound(VestibuleError):
    """Nothing by that name."""

    slug, title = "not-found", "Not found"


class KeyNotFound(NotFound):
    """No entry under that key."""

    slug, title = "key-not-found", "Unknown key"


class TaskNotFound(NotFound):
    """No task of that id was ever accepted here."""

    slug, title = "task-not-found", "Unknown task"


class AlertNotFound(NotFound):
    """No alert of that id."""

    slug, title = "alert-not-found", "Unknown alert"


class ScheduleNotFound(NotFound):
    """No schedule of that id is kept here for that tenant."""

    slug, title = "schedule-not-found", "Schedule not found"


class HeartbeatNotFound(NotFound):
    """Nothing of that name ever sent a heartbeat."""

    slug, title = "heartbeat-not-found", "Unknown heartbeat"


class MaintenanceNotFound(NotFound):
    """No maintenance window of that id."""

    slug, title = "maintenance-not-found", "Unknown maintenance window"


class WebhooksDisabled(NotFound):
    """Nobody is told of the ends of tasks here, so there is no key for it either."""

    slug, title = "callbacks-disabled", "Callbacks are switched off"


class UnknownToken(NotFound):
    """Nothing that was put in place of a value for this caller's tenant."""

    slug, title = "unknown-token", "Unknown token"


class Conflict(VestibuleError):
    """Not as things stand now."""

    slug, title = "conflict", "Not possible now"


class TaskConflict(Conflict):
    """The task is in another state than this needs."""

    slug, title = "task-conflict", "The task is in another state"


class RequestInProgress(Conflict):
    """The same request, by its `Idempotency-Key`, is being served at the moment."""

    slug, title = "request-in-progress", "The same request is being served"


class IdempotencyKeyReused(Refused):
    """The `Idempotency-Key` came with another request before."""

    slug, title = "idempotency-key-reused", "The key belongs to another request"


class PreconditionFailed(VestibuleError):
    """The entry is not what the caller expects; `current_version` says what it is, null where there is none."""

    slug, title = "precondition-failed", "The entry has another version"

    def __init__(self, current_version: int | None, **extra: object) -> None:
        detail = "The entry is not as the condition says. Read it again and decide anew; nothing was changed."
        super().__init__(detail, current_version=current_version, **extra)


class ResultExpired(VestibuleError):
    """It was here, and its time has passed."""

    slug, title = "result-expired", "The result has expired"


class TokenRetired(ResultExpired):
    """What stood in place of a value cannot be revealed any more: its key was retired."""

    slug, title = "token-retired", "The token's key was retired"


class Unavailable(VestibuleError):
    """A part that is needed does not answer; trying again after `retry_after_s` seconds may help."""

    slug, title = "unavailable", "A part is not available"

    def __init__(self, part: str, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, part=part)
        self.part = part
        self.retry_after_s = retry_after_s
