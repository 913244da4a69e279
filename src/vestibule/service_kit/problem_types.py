"""Every problem type of the services: name, title, HTTP status, cause and remedy. This is the one place of statuses.

An error class has its name and title (`contracts/errors.py`); errors of the framework have both here. Each type
has a page under `/problems/NAME` (`openapi/problem_pages.py`), and `docs/problems.md` is written from this table.
"""

from collections.abc import Mapping

from vestibule.contracts import errors
from vestibule.service_kit.frame_problems import (
    INTERNAL_ERROR,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    OVERLOADED,
    REQUEST_HEADERS_TOO_LARGE,
    REQUEST_TIMEOUT,
    ROUTE_NOT_FOUND,
    TOO_MANY_UPLOADS,
    ProblemType,
)


def _error(kind: type[errors.VestibuleError], status: int, cause: str, remedy: str) -> ProblemType:
    return ProblemType(kind.slug, kind.title, status, cause, remedy)


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
    errors.OriginRefused: _error(
        errors.OriginRefused,
        403,
        "The page is of an origin that the definition of the form does not list, or sends none to a public form.",
        "Add the origin to `origins` in `[forms.NAME]`, as browsers send it: scheme, host and port, without a path.",
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
    errors.AlertGroupNotFound: _error(
        errors.AlertGroupNotFound,
        404,
        "No group of alerts has that id. To acknowledge or resolve a group, it must also be unresolved.",
        "Use an `id` from `GET /alert-groups`. A group is removed after its retention time.",
    ),
    errors.SilenceNotFound: _error(
        errors.SilenceNotFound,
        404,
        "No silence of your tenant has that id. To end or extend a silence, it must also be in force.",
        "Use an `id` from `GET /silences`; `ended=true` lists those that have ended. Add another silence instead.",
    ),
    errors.AllowanceNotFound: _error(
        errors.AllowanceNotFound,
        404,
        "No allowance of your tenant has that id, or it has ended.",
        "Use an `id` from `GET /allowances`; `ended=true` lists those that have ended.",
    ),
    errors.FormNotFound: _error(
        errors.FormNotFound,
        404,
        "The policy file defines no form of that name, or it is one of another tenant.",
        "Check the name, and the table `[forms.NAME]` of the policy file: a change counts within a second.",
    ),
    errors.ChannelNotFound: _error(
        errors.ChannelNotFound,
        404,
        "`VESTIBULE_ALERT_CHANNELS` names no channel of that name.",
        "Use a `name` from `GET /channels`.",
    ),
    errors.DecisionNotFound: _error(
        errors.DecisionNotFound,
        404,
        "No record of the tenant of the caller has that id: nothing was found and the policy does not set "
        "`keep_clean`, the record has not arrived yet, or it was removed after its retention time.",
        "Retry after two seconds. For receipts of requests without findings send `Prefer: receipt` with the request, "
        "or set `keep_clean = true` in the policy.",
    ),
    errors.ErasureNotFound: _error(
        errors.ErasureNotFound,
        404,
        "No erasure has that id in the tenant of the caller, or it ended more than 30 days ago; or no search of this "
        "token has it, or it ended more than six hours ago.",
        "Use the id in the `Location` of the response that started it, with a token of the same tenant; of a search, "
        "with the same token.",
    ),
    errors.BulkActionNotFound: _error(
        errors.BulkActionNotFound,
        404,
        "No action on many tasks has that id in the tenant of the caller, or it ended more than 30 days ago.",
        "Use the `job_id` in the response to `POST /tasks/bulk`, with a token of the same tenant.",
    ),
    errors.HeartbeatNotFound: _error(
        errors.HeartbeatNotFound,
        404,
        "No heartbeat has that name: no ping with it has arrived, or it was deleted.",
        "Use a name from `GET /heartbeats`. The first ping creates the heartbeat.",
    ),
    errors.TraceNotFound: _error(
        errors.TraceNotFound,
        404,
        "No decision, task, alert or job of the tenant of the caller has that id, nor is one of a request with it. A "
        "request without findings and without a task leaves no record.",
        "Retry after two seconds, when its decision has arrived. The lines of every request are in the log: "
        "`vestibule logs --request ID`.",
    ),
    errors.ScheduleNotFound: _error(
        errors.ScheduleNotFound,
        404,
        "No schedule has that id in the tenant of the caller.",
        "Use an id from `GET /schedules`, with a token of the same tenant.",
    ),
    errors.TokenNotFound: _error(
        errors.TokenNotFound,
        404,
        "No token of your tenant has that id, or it was revoked.",
        "Take the id from `GET /tokens`.",
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
    errors.TooManyAllowances: _error(
        errors.TooManyAllowances,
        409,
        "The tenant has 1,000 allowances in force.",
        "Revoke those that are not needed, or have the policy ignore the entity for a key prefix or a token.",
    ),
    errors.TaskConflict: _error(
        errors.TaskConflict,
        409,
        "The task is in a state that does not allow the action, or its data is no longer stored.",
        "The member `state` says in which state it is. Cancel works until the end of a task, retry after it.",
    ),
    errors.RequestInProgress: _error(
        errors.RequestInProgress,
        409,
        "A request with the same `Idempotency-Key` has not finished, or its recorded response cannot be read.",
        "Retry the same request a little later. If the problem persists, use a new key.",
    ),
    errors.TokenInFile: _error(
        errors.TokenInFile,
        409,
        "The token is in a file of the host or in a mounted secret. The service does not change these files.",
        "Change it on the host with `vestibule token`, or change the mounted secret.",
    ),
    errors.ErasureInProgress: _error(
        errors.ErasureInProgress,
        409,
        "An erasure, or a search, of the same tenant has not finished, and a tenant has one of each at a time.",
        "Wait until `GET /subjects/erasures/{erasure_id}` of that erasure, or `GET /subjects/finds/{find_id}` of that "
        "search, says `finished`, then repeat the request.",
    ),
    errors.BulkActionInProgress: _error(
        errors.BulkActionInProgress,
        409,
        "An action on many tasks of the same tenant has not finished, and a tenant has one at a time.",
        "Wait until `GET /tasks/bulk/{job_id}` of that action says `finished`, then repeat the request.",
    ),
    errors.ConfirmationInvalid: _error(
        errors.ConfirmationInvalid,
        409,
        "`confirm` is of another action, filter or token, or older than five minutes.",
        "Send the request without `confirm`, look at the count, and confirm what it answers.",
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
        "The body is of a media type that the route does not read, or the header `Content-Type` is missing. A form "
        "takes no files, and text in UTF-8 alone.",
        "Send what the header `Accept-Post` names: JSON with `Content-Type: application/json`, for which "
        "`curl --json '{...}'` does both.",
    ),
    errors.InvalidInput: _error(
        errors.InvalidInput,
        422,
        "A parameter, a header or a member of the body is malformed, missing or out of bounds.",
        "`errors` lists each place and what is expected there. Compare the request with the reference at `/docs`.",
    ),
    errors.FormInvalid: _error(
        errors.FormInvalid,
        422,
        "A field of the form is missing, too long or not defined, or there are too many. Nothing was stored.",
        "`errors` lists each field and what is expected there. The form is defined in the policy file: `[forms.NAME]`.",
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
    errors.QuotaExceeded: _error(
        errors.QuotaExceeded,
        429,
        "The token or its tenant has used up a quota; `quota` names it, `of` says whose it is, `limit` how high it is.",
        "Retry after the seconds in `Retry-After`, and send less. An operator can raise the quota.",
    ),
    errors.TooManyTests: _error(
        errors.TooManyTests,
        429,
        "A channel is tested at most once every ten seconds, and two at the same time.",
        "Retry after the seconds in `Retry-After`. Nothing was sent.",
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
