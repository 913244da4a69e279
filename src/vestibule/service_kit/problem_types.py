"""Every problem type of the services: name, title, HTTP status, cause and remedy. This is the one place of statuses.

An error class has its name and title (`contracts/errors.py`); errors of the framework have both here. Each type
has a page under `/problems/NAME` (`openapi/problem_pages.py`), and `docs/problems.md` is written from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vestibule.contracts import errors

PATH = "/problems"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem: its name and status, why it happens, what to do; `detail` where it is always the same."""

    name: str
    title: str
    status: int
    cause: str
    remedy: str
    detail: str = ""

    @property
    def uri(self) -> str:
        """The `type` of its problem documents: a URI reference, relative to the base URL of the service."""
        return f"{PATH}/{self.name}"


def _error(kind: type[errors.VestibuleError], status: int, cause: str, remedy: str) -> ProblemType:
    return ProblemType(kind.slug, kind.title, status, cause, remedy)


MALFORMED_REQUEST = ProblemType(
    "malformed-request",
    "Malformed request",
    400,
    "The bytes on the connection are not an HTTP/1.1 request. The service closes the connection.",
    "Send HTTP/1.1 without TLS, or TLS to the proxy that terminates it. Check the client or proxy in between.",
    "The request is not valid HTTP.",
)
ROUTE_NOT_FOUND = ProblemType(
    "route-not-found",
    "Route not found",
    404,
    "No route of this service has that path.",
    "Compare the path with the API reference at `/docs`. Check the port, and remove a trailing slash.",
    "The service has no such route.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    "Method not allowed",
    405,
    "The path exists, and not with that HTTP method.",
    "Use one of the methods in the header `Allow`.",
    "The route does not support this HTTP method.",
)
REQUEST_TIMEOUT = ProblemType(
    "request-timeout",
    "Request timeout",
    408,
    "The headers or the body of the request did not arrive in time. The service closes the connection.",
    "Check the network, send smaller bodies, or raise `VESTIBULE_REQUEST_TIMEOUT_S`.",
    "The request did not arrive in time.",
)
TOO_MANY_UPLOADS = ProblemType(
    "too-many-uploads",
    "Too many incomplete requests",
    429,
    "More than 64 request bodies of one token are incomplete for longer than a second. The service closes the slowest.",
    "Send fewer bodies at the same time, each without pauses. Retry after the seconds in `Retry-After`.",
    "Too many request bodies with this token are incomplete. Nothing was done; retry later.",
)
REQUEST_HEADERS_TOO_LARGE = ProblemType(
    "request-headers-too-large",
    "Request headers too large",
    431,
    "Path, query and headers together exceed 64 KiB. The service closes the connection.",
    "Send long values in a JSON body instead of the query string, and remove headers that are not needed.",
    "Path, query and headers together exceed the size limit.",
)
INTERNAL_ERROR = ProblemType(
    errors.VestibuleError.slug,
    errors.VestibuleError.title,
    500,
    "The service failed in a way that it does not expect. The response does not reveal the cause.",
    "Search the log for the request id in `instance` (`vestibule logs --request ID`) and report the error.",
    "The service failed. The log has the cause under this request id.",
)
OVERLOADED = ProblemType(
    "overloaded",
    "Service overloaded",
    503,
    "Many requests are in progress for longer than `VESTIBULE_LOAD_SHED_AFTER_S`, so the service rejects new ones.",
    "Retry after the seconds in `Retry-After`, with exponential backoff and jitter. If it persists, add replicas.",
    "More requests are in progress than the service can answer in time. Nothing was done; retry later.",
)

# The nearest class in an error's ancestry decides.
OF_ERRORS: Mapping[type[errors.VestibuleError], ProblemType] = {
    errors.InvalidToken: _error(
        errors.InvalidToken,
        401,
        "The request has no bearer token, or one that this service does not know.",
        "Send `Authorization: Bearer TOKEN`. `vestibule token create --name NAME` makes a token.",
    ),
    errors.ScopeMissing: _error(
        errors.ScopeMissing,
        403,
        "The token is known and does not have the scope that the route requires; `scope` names it.",
        "Use a token that has the scope, or create one: `vestibule token create --name NAME --scope SCOPE`.",
    ),
    errors.NotFound: _error(
        errors.NotFound,
        404,
        "The path names something that does not exist: a part of the system, or a problem type.",
        "Check the spelling. `GET /status` lists the parts, and `GET /problems` lists the problem types.",
    ),
    errors.KeyNotFound: _error(
        errors.KeyNotFound,
        404,
        "No entry has that key in the tenant of the caller. It was never written, was deleted, or has expired.",
        "Check the key; `GET /keys` lists the keys that exist. Write the entry before you read or process it.",
    ),
    errors.TaskNotFound: _error(
        errors.TaskNotFound,
        404,
        "No task has that id in the tenant of the caller, or its record was removed after the retention time.",
        "Use the `task_id` of the response that accepted the task, with a token of the same tenant.",
    ),
    errors.AlertNotFound: _error(
        errors.AlertNotFound,
        404,
        "No alert has that id. To acknowledge or resolve an alert, its group must also be unresolved.",
        "Use an `id` from `GET /alerts`. An alert is removed after its retention time.",
    ),
    errors.ErasureNotFound: _error(
        errors.ErasureNotFound,
        404,
        "No erasure has that id in the tenant of the caller, or it ended more than 30 days ago.",
        "Use the id in the `Location` of the response to `DELETE /subjects`, with a token of the same tenant.",
    ),
    errors.HeartbeatNotFound: _error(
        errors.HeartbeatNotFound,
        404,
        "No heartbeat has that name: no ping with it has arrived, or it was deleted.",
        "Use a name from `GET /heartbeats`. The first ping creates the heartbeat.",
    ),
    errors.ScheduleNotFound: _error(
        errors.ScheduleNotFound,
        404,
        "No schedule has that id in the tenant of the caller.",
        "Use an id from `GET /schedules`, with a token of the same tenant.",
    ),
    errors.MaintenanceNotFound: _error(
        errors.MaintenanceNotFound,
        404,
        "No maintenance window has that id. Windows that have ended are removed.",
        "Use an id from `GET /maintenance`.",
    ),
    errors.WebhooksDisabled: _error(
        errors.WebhooksDisabled,
        404,
        "Callbacks are not configured, so there is no key that verifies them.",
        "Set `VESTIBULE_CALLBACK_SECRET` or poll `GET /tasks/{task_id}` with `wait` instead.",
    ),
    errors.UnknownToken: _error(
        errors.UnknownToken,
        404,
        "The token in the body stands for no value of the caller's tenant: it is damaged, or another tenant's.",
        "Send the token exactly as it was stored, with the angle brackets, and with a bearer token of its tenant.",
    ),
    errors.TaskConflict: _error(
        errors.TaskConflict,
        409,
        "The task is in a state that does not allow the action, or its data is no longer stored.",
        "Read the state with `GET /tasks/{task_id}`. Cancel works until the end of a task, retry after it.",
    ),
    errors.RequestInProgress: _error(
        errors.RequestInProgress,
        409,
        "A request with the same `Idempotency-Key` has not finished, or its recorded response cannot be read.",
        "Retry the same request a little later. If the problem persists, use a new key.",
    ),
    errors.ErasureInProgress: _error(
        errors.ErasureInProgress,
        409,
        "An erasure of the same tenant has not finished, and a tenant has one at a time.",
        "Wait until `GET /subjects/erasures/{erasure_id}` of that erasure says `finished`, then repeat the request.",
    ),
    errors.ResultExpired: _error(
        errors.ResultExpired,
        410,
        "The task succeeded, and its result is no longer stored.",
        "Read results sooner, or raise `VESTIBULE_RESULT_EXPIRES_S`. Run the task again to get the result.",
    ),
    errors.TokenRetired: _error(
        errors.TokenRetired,
        410,
        "The encryption key of the token was retired, so its value can no longer be revealed.",
        "The value is lost by design. Store it again to get a token of the active key.",
    ),
    errors.PreconditionFailed: _error(
        errors.PreconditionFailed,
        412,
        "The entry does not match `If-Match` or `If-None-Match`. `current_version` is the version that it has.",
        "Read the entry again, apply your change to its current value, and retry with the new `ETag`.",
    ),
    errors.TooLarge: _error(
        errors.TooLarge,
        413,
        "The body, a value, or the set of values that one request reads or writes exceeds a size limit.",
        "`detail` names the limit. Split the request, or send shorter values.",
    ),
    errors.UnsupportedMediaType: _error(
        errors.UnsupportedMediaType,
        415,
        "The body has another media type than JSON, or the header `Content-Type` is missing.",
        "Send JSON with `Content-Type: application/json`. `curl --json '{...}'` does both.",
    ),
    errors.InvalidInput: _error(
        errors.InvalidInput,
        422,
        "A parameter, a header or a member of the body is malformed, missing or out of bounds.",
        "`errors` lists each place and what is expected there. Compare the request with the reference at `/docs`.",
    ),
    errors.UnknownProcessor: _error(
        errors.UnknownProcessor,
        422,
        "No processor has the name in `processor`.",
        "Use a name that `detail` lists. `GET /processors` describes each of them.",
    ),
    errors.PersonalDataFound: _error(
        errors.PersonalDataFound,
        422,
        "The scanner found personal data or a secret in the request, and the policy blocks it. Nothing was stored.",
        "Remove what `findings` locates. If the finding is wrong, change the policy for that entity, key or route.",
    ),
    errors.ResultRefused: _error(
        errors.ResultRefused,
        422,
        "The scanner found personal data or a secret in the result of the processor, and the policy blocks it.",
        "Check the input and the processor. If the finding is wrong, change the policy for that entity or key.",
    ),
    errors.NotProcessable: _error(
        errors.NotProcessable,
        422,
        "The processor cannot process this input; `kind` names the reason.",
        "Correct the input or the options, or choose another processor.",
    ),
    errors.IdempotencyKeyReused: _error(
        errors.IdempotencyKeyReused,
        422,
        "The `Idempotency-Key` was sent before with a different request.",
        "Use a new key for each request, and the same key only to retry the same request.",
    ),
    errors.ScanImpossible: _error(
        errors.ScanImpossible,
        422,
        "The scan exceeded its budget of CPU time, or a detector failed. What cannot be scanned is rejected.",
        "Split the text into shorter parts. If `detail` says that a detector failed, the log has its entity.",
    ),
    errors.TooManyAuthFailures: _error(
        errors.TooManyAuthFailures,
        429,
        "Too many requests with unknown tokens came from this address within a minute.",
        "Correct the token, and wait for the seconds in `Retry-After`. Requests with a known token still succeed.",
    ),
    errors.TooManyWaiting: _error(
        errors.TooManyWaiting,
        429,
        "Batches, erasures and scans of long texts of one token are served a few at a time. Too many more wait.",
        "Send fewer at the same time, and retry after the seconds in `Retry-After`. Nothing was stored.",
    ),
    errors.Unavailable: _error(
        errors.Unavailable,
        503,
        "A service or store that the request needs does not answer, or is shutting down; `part` names it.",
        "Retry after the seconds in `Retry-After`. `GET /readyz` and the status page show which part is down.",
    ),
    errors.VestibuleError: INTERNAL_ERROR,
}

_FRAMEWORK = (
    MALFORMED_REQUEST,
    ROUTE_NOT_FOUND,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    TOO_MANY_UPLOADS,
    REQUEST_HEADERS_TOO_LARGE,
    OVERLOADED,
)
PROBLEM_TYPES: Mapping[str, ProblemType] = {
    one.name: one for one in sorted((*OF_ERRORS.values(), *_FRAMEWORK), key=lambda one: (one.status, one.name))
}


def problem_type_of(error: type[errors.VestibuleError]) -> ProblemType:
    """Return the problem type that errors of a class are rendered as."""
    return next(OF_ERRORS[kind] for kind in error.__mro__ if kind in OF_ERRORS)
