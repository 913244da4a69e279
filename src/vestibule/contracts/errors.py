"""The errors that reach the caller of a service: every class, with its parent.

    VestibuleError
    ├── Refused                     the request cannot be accepted
    │   ├── InvalidInput            malformed, missing or out of bounds
    │   │   └── UnknownProcessor    no processor has that name
    │   ├── FormInvalid             the form is not filled in as its definition says
    │   ├── OriginRefused           a page of another origin may not send that form
    │   ├── UnsupportedMediaType    the body is of a media type that the route does not read
    │   │   └── FormMediaType       it is none of a form, or has a file
    │   ├── TooLarge                over a size limit
    │   ├── PersonalDataFound       the scanner found what the policy blocks
    │   │   └── ResultRefused       it found that in the result of a processor
    │   ├── NotProcessable          the processor cannot process this input
    │   ├── IdempotencyKeyReused    the key was sent with another request before
    │   ├── ScanImpossible          the scan did not finish, so the text is rejected
    │   ├── InvalidToken            no token, or an unknown one
    │   ├── TooManyAuthFailures     too many unknown tokens from one address
    │   ├── TooManyWaiting          too many requests of one token wait for their turn
    │   │   └── TooManyTests        the channel was tested a moment ago
    │   ├── QuotaExceeded           the token or its tenant does more than its quota allows
    │   └── ScopeMissing            the token is known and lacks the scope
    ├── NotFound                    nothing has that name
    │   ├── KeyNotFound             no entry has that key
    │   ├── TaskNotFound            no task has that id
    │   ├── AlertNotFound           no alert has that id
    │   ├── AlertGroupNotFound      no group of alerts has that id
    │   ├── SilenceNotFound         no silence has that id
    │   ├── ChannelNotFound         no channel of that name is configured
    │   ├── DecisionNotFound        no decision with that id is recorded
    │   ├── AllowanceNotFound       no allowance in force has that id
    │   ├── FormNotFound            no form of that name is defined
    │   ├── TraceNotFound           nothing that is kept has that id
    │   ├── HeartbeatNotFound       no heartbeat has that name
    │   ├── ScheduleNotFound        no schedule has that id
    │   ├── ErasureNotFound         no erasure has that id
    │   ├── BulkActionNotFound      no action on many tasks has that id
    │   ├── MaintenanceNotFound     no maintenance window has that id
    │   ├── TokenNotFound           no token has that id
    │   ├── WebhooksDisabled        callbacks are not configured
    │   └── UnknownToken            the token stands for no value of this tenant
    ├── Conflict                    not possible in the current state
    │   ├── TaskConflict            the task is in another state
    │   ├── RequestInProgress       a request with the same idempotency key is in progress
    │   ├── TooManyAllowances       the tenant has as many allowances in force as it may
    │   ├── TokenInFile             the token is in a file, which the service does not change
    │   ├── ErasureInProgress       an erasure of the same tenant is in progress
    │   ├── BulkActionInProgress    an action on many tasks of the same tenant is in progress
    │   └── ConfirmationInvalid     it confirms another request, or has expired
    ├── PreconditionFailed          the entry has another version than the caller expects
    ├── ResultExpired               the result existed and has expired
    │   └── TokenRetired            the key of the token was retired
    └── Unavailable                 a required service does not answer

`service_kit.problems` renders them at the edge of a service; a detail repeats nothing that the caller sent. Errors of
other rooms become one of these where the caller of the service has to know. The framework's own refusals (no such
route, wrong method, overload) have no class; `service_kit.problem_types` lists them too.
"""

import copyreg
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class VestibuleError(Exception):
    """Base of the tree: a `detail` for the caller, `extra` members of the problem document, and when to retry.

    `slug` is the name of the problem type, and `title` its heading; a class without its own has those of its parent.
    """

    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    status: int | None = None  # this and the next three are set by the client library
    request_id: str | None = None
    problem: Mapping[str, object] = MappingProxyType({})
    attempts: int = 1

    def __init__(self, detail: str, retry_after_s: int | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        self.extra: Mapping[str, object] = extra

    def __reduce__(self) -> tuple[Any, ...]:  # the usual one calls the constructor, which takes more than `args`
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class Refused(VestibuleError):
    """The request cannot be accepted."""


class InvalidInput(Refused):
    """Malformed, missing or out of bounds; `errors` names the places and repeats nothing that was sent."""

    slug, title = "invalid-input", "Invalid input"


class UnknownProcessor(InvalidInput):
    """No processor has that name."""

    slug, title = "unknown-processor", "Unknown processor"


class UnsupportedMediaType(Refused):
    """The body is of a media type that the route does not read; `Accept-Post` names what it reads."""

    slug, title = "unsupported-media-type", "Unsupported media type"
    media_type: ClassVar[str] = "application/json"


class FormMediaType(UnsupportedMediaType):
    """The body is of no media type of a form, is not in UTF-8, or has a file."""

    media_type = "application/json, application/x-www-form-urlencoded, multipart/form-data"


class FormInvalid(Refused):
    """The form is not filled in as its definition says; `errors` names the fields."""

    slug, title = "form-invalid", "The form is not filled in as it has to be"


class OriginRefused(Refused):
    """A page of that origin may not send the form."""

    slug, title = "origin-refused", "The origin of the page is not allowed"


class TooLarge(Refused):
    """Over a size limit."""

    slug, title = "too-large", "Size limit exceeded"


class PersonalDataFound(Refused):
    """The scanner found what the policy blocks; `findings` lists it and `alert_id` names the alert."""

    slug, title = "personal-data", "Personal data or a secret was found"


class ResultRefused(PersonalDataFound):
    """The scanner found in a processor's result what the policy blocks."""

    slug, title = "result-refused", "Personal data or a secret was found in the result"


class NotProcessable(Refused):
    """The processor cannot process this input; `kind` names the reason."""

    slug, title = "not-processable", "The processor cannot process this input"


class ScanImpossible(Refused):
    """The scan did not finish in time, or a detector failed, so the text is rejected."""

    slug, title = "scan-timeout", "Scan time limit exceeded"


class InvalidToken(Refused):
    """No token, or an unknown one."""

    slug, title = "invalid-token", "Missing or unknown token"


class TooManyAuthFailures(Refused):
    """Too many unknown tokens from one address; it may retry after `retry_after_s` seconds."""

    slug, title = "too-many-auth-failures", "Too many authentication failures"
    retry_after_s = 60


class TooManyWaiting(Refused):
    """Too many requests of one token wait for their turn; it may retry after `retry_after_s` seconds."""

    slug, title = "too-many-waiting", "Too many requests of the token wait"
    retry_after_s = 1


class QuotaExceeded(Refused):
    """The token or its tenant does more than its quota allows; it may retry after `retry_after_s` seconds.

    `quota` names the limit, `of` whose it is (`token` or `tenant`), and `limit` how high it is.
    """

    slug, title = "quota-exceeded", "Quota exceeded"
    retry_after_s = 60


class TooManyTests(TooManyWaiting):
    """The channel was tested a moment ago; it may be tested again after `retry_after_s` seconds."""

    slug, title = "too-many-tests", "Too many tests of the channel"
    retry_after_s = 10


class ScopeMissing(Refused):
    """The token is known and lacks the scope."""

    slug, title = "insufficient-scope", "The token lacks the required scope"


class NotFound(VestibuleError):
    """Nothing has that name."""

    slug, title = "not-found", "Not found"


class KeyNotFound(NotFound):
    """No entry has that key."""

    slug, title = "key-not-found", "Key not found"


class TaskNotFound(NotFound):
    """No task of this tenant has that id."""

    slug, title = "task-not-found", "Task not found"


class AlertNotFound(NotFound):
    """No alert has that id."""

    slug, title = "alert-not-found", "Alert not found"


class AlertGroupNotFound(NotFound):
    """No group of alerts has that id."""

    slug, title = "alert-group-not-found", "Alert group not found"


class SilenceNotFound(NotFound):
    """No silence has that id."""

    slug, title = "silence-not-found", "Silence not found"


class AllowanceNotFound(NotFound):
    """No allowance in force has that id."""

    slug, title = "allowance-not-found", "Allowance not found"


class FormNotFound(NotFound):
    """No form of that name is defined."""

    slug, title = "form-not-found", "Form not found"


class ChannelNotFound(NotFound):
    """No alert channel of that name is configured."""

    slug, title = "channel-not-found", "Channel not found"


class DecisionNotFound(NotFound):
    """No decision of this tenant with that id is recorded."""

    slug, title = "decision-not-found", "Decision not found"


class TraceNotFound(NotFound):
    """Nothing of this tenant that is kept has that id."""

    slug, title = "trace-not-found", "Trace not found"


class ScheduleNotFound(NotFound):
    """No schedule of this tenant has that id."""

    slug, title = "schedule-not-found", "Schedule not found"


class ErasureNotFound(NotFound):
    """No erasure of this tenant has that id."""

    slug, title = "erasure-not-found", "Erasure not found"


class BulkActionNotFound(NotFound):
    """No action on many tasks of this tenant has that id."""

    slug, title = "bulk-action-not-found", "Action on many tasks not found"


class HeartbeatNotFound(NotFound):
    """No heartbeat has that name."""

    slug, title = "heartbeat-not-found", "Heartbeat not found"


class MaintenanceNotFound(NotFound):
    """No maintenance window has that id."""

    slug, title = "maintenance-window-not-found", "Maintenance window not found"


class TokenNotFound(NotFound):
    """No token of this tenant has that id."""

    slug, title = "token-not-found", "Token not found"


class WebhooksDisabled(NotFound):
    """Callbacks are not configured, so there is no key that verifies them."""

    slug, title = "callbacks-disabled", "Callbacks are disabled"


class UnknownToken(NotFound):
    """The token stands for no value of this tenant."""

    slug, title = "value-token-not-found", "Value token not found"


class Conflict(VestibuleError):
    """Not possible in the current state."""


class TooManyAllowances(Conflict):
    """The tenant has as many allowances in force as it may."""

    slug, title = "too-many-allowances", "Too many allowances in force"


class TaskConflict(Conflict):
    """The task is in another state than the request requires: `state`."""

    slug, title = "task-conflict", "The task is in another state"


class RequestInProgress(Conflict):
    """A request with the same `Idempotency-Key` is in progress."""

    slug, title = "request-in-progress", "A request with this idempotency key is in progress"


class TokenInFile(Conflict):
    """The token is in a file, which an operator changes on the host."""

    slug, title = "token-in-file", "The token is in a file"


class ErasureInProgress(Conflict):
    """An erasure of the same tenant is in progress, and a tenant has one at a time."""

    slug, title = "erasure-in-progress", "An erasure of this tenant is in progress"


class BulkActionInProgress(Conflict):
    """An action on many tasks of the same tenant is in progress, and a tenant has one at a time."""

    slug, title = "bulk-action-in-progress", "An action on many tasks of this tenant is in progress"


class ConfirmationInvalid(Conflict):
    """The confirmation is of another request, or has expired."""

    slug, title = "confirmation-invalid", "The confirmation is not valid"


class IdempotencyKeyReused(Refused):
    """The `Idempotency-Key` was sent with another request before."""

    slug, title = "idempotency-key-reused", "The idempotency key belongs to another request"


class PreconditionFailed(VestibuleError):
    """The entry has another version than the caller expects: `current_version`, null where there is no entry."""

    slug, title = "precondition-failed", "The entry has another version"

    def __init__(self, current_version: int | None, **extra: object) -> None:
        detail = "The entry does not match the condition. Nothing was changed; read the entry again before you retry."
        super().__init__(detail, None, current_version=current_version, **extra)


class ResultExpired(VestibuleError):
    """The result existed and has expired."""

    slug, title = "result-expired", "The result has expired"


class TokenRetired(ResultExpired):
    """The key of the token was retired, so its value can no longer be revealed."""

    slug, title = "value-token-retired", "The key of the value token was retired"


class Unavailable(VestibuleError):
    """A required service does not answer; the caller may retry after `retry_after_s` seconds."""

    slug, title = "unavailable", "Service unavailable"

    def __init__(self, part: str, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, retry_after_s, part=part)
        self.part = part
