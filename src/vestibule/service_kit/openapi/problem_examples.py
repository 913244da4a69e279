"""Examples of each problem for the description of the API, rendered from the errors themselves."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from vestibule.contracts import errors
from vestibule.service_kit.problem_types import PROBLEM_TYPES, problem_type_of
from vestibule.service_kit.problems import render_error, render_problem

Kind = type[errors.VestibuleError]

_REQUEST_ID = "9638cc59bda34a3ca9d5f4bd55eeedb0"
_MISTAKE = {"where": "body/key", "kind": "missing", "expected": "Field required"}
_FINDING = {"entity": "EMAIL_ADDRESS", "start": 9, "end": 25, "score": 0.95, "field": "value", "action": "block"}

_SAMPLES: tuple[errors.VestibuleError, ...] = (
    errors.InvalidInput("The request is not valid. Check: body/key.", errors=[_MISTAKE]),
    errors.UnknownProcessor("No such processor. Known: normalize, uppercase."),
    errors.UnsupportedMediaType("The body must be JSON, sent with `Content-Type: application/json`."),
    errors.FormMediaType("A form has no files. Nothing was stored."),
    errors.FormInvalid(
        "The form is not filled in as it has to be. Check: email.",
        errors=[{"where": "body/email", "kind": "missing", "expected": "a value", "field": "email"}],
    ),
    errors.OriginRefused("Pages of this origin may not send the form."),
    errors.TooLarge("The body may have at most 4,194,304 bytes."),
    errors.PersonalDataFound(
        "Request rejected: `value` contains EMAIL_ADDRESS. Nothing was stored.",
        findings=[_FINDING],
        decision_id="5f3a9c21d0b4e876",
        alert_id="9a76fd8275cf19f0",
    ),
    errors.ResultRefused(
        "Result rejected: `result` contains EMAIL_ADDRESS. Nothing was stored.",
        findings=[_FINDING | {"field": "result"}],
        decision_id="5f3a9c21d0b4e876",
        alert_id="9a76fd8275cf19f0",
    ),
    errors.NotProcessable("The input is not valid JSON.", kind="NotJson"),
    errors.IdempotencyKeyReused("The key was sent with another request before; use a new key for each request."),
    errors.ScanImpossible("The scan did not finish within its budget, so the text was rejected."),
    errors.InvalidToken("Send a valid token in the header `Authorization: Bearer TOKEN`."),
    errors.TooManyAuthFailures("Too many requests with unknown tokens came from this address. Retry later."),
    errors.TooManyWaiting("Too many requests of this token wait for their turn; send fewer at the same time."),
    errors.QuotaExceeded(
        "The quota `requests_per_minute` of the token, 600, is used up. Retry later.",
        17,
        quota="requests_per_minute",
        of="token",
        limit=600,
    ),
    errors.TooManyTests("This channel was tested a moment ago; retry later."),
    errors.ScopeMissing("The token needs the scope `add`.", scope="add"),
    errors.NotFound("No part has that name."),
    errors.KeyNotFound("No entry has that key."),
    errors.TaskNotFound("No task has that id."),
    errors.AlertNotFound("No alert has that id."),
    errors.AlertGroupNotFound("No group of alerts has that id."),
    errors.SilenceNotFound("No silence has that id."),
    errors.AllowanceNotFound("No allowance of your tenant that is in force has that id."),
    errors.FormNotFound("No form of that name is defined."),
    errors.ChannelNotFound("No channel of that name is configured."),
    errors.DecisionNotFound("No record has that id."),
    errors.TraceNotFound("Nothing that is kept of your tenant has that id."),
    errors.ErasureNotFound("No erasure has that id."),
    errors.BulkActionNotFound("No action on many tasks has that id."),
    errors.HeartbeatNotFound("No heartbeat has that name."),
    errors.MaintenanceNotFound("No maintenance window has that id."),
    errors.TokenNotFound("No token has that id."),
    errors.TokenInFile("The token is in a file of the host; change it there."),
    errors.ScheduleNotFound("No schedule has that id."),
    errors.WebhooksDisabled("Callbacks are disabled; set VESTIBULE_CALLBACK_SECRET to enable them."),
    errors.UnknownToken("The token stands for no value of your tenant."),
    errors.TooManyAllowances("A tenant may have 1,000 allowances in force; revoke others first."),
    errors.TaskConflict("The task is `succeeded`, which does not allow this.", state="succeeded"),
    errors.RequestInProgress("A request with this key is in progress; retry a little later."),
    errors.ErasureInProgress("An erasure of your tenant is in progress; retry when it has finished."),
    errors.BulkActionInProgress("An action on many tasks of your tenant is in progress; retry when it has finished."),
    errors.ConfirmationInvalid("It confirms another request, or has expired. Ask for a preview again."),
    errors.PreconditionFailed(3),
    errors.ResultExpired("The task succeeded, and its result has expired."),
    errors.TokenRetired("The key of the token was retired; its value can no longer be revealed."),
    errors.Unavailable("database", "The database service does not answer."),
)
_SAMPLE_OF: Mapping[Kind, errors.VestibuleError] = {type(sample): sample for sample in _SAMPLES}

# What a status means where a route names no kind.
USUAL_KINDS: Mapping[int, Kind] = {
    401: errors.InvalidToken,
    403: errors.ScopeMissing,
    404: errors.KeyNotFound,
    409: errors.RequestInProgress,
    410: errors.ResultExpired,
    412: errors.PreconditionFailed,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    422: errors.InvalidInput,
    429: errors.TooManyAuthFailures,
    503: errors.Unavailable,
}


def sample_of(kind: Kind) -> dict[str, Any]:
    """Return the problem document of an error of that kind."""
    document: dict[str, Any] = orjson.loads(render_error(_SAMPLE_OF[kind], _REQUEST_ID).body)
    return document


def example_responses() -> dict[str, Response]:
    """Return a response with each problem type, by its name."""
    named = {problem_type_of(type(sample)).name: render_error(sample, _REQUEST_ID) for sample in _SAMPLES}
    fixed = {one.name: render_problem(one, one.detail, _REQUEST_ID) for one in PROBLEM_TYPES.values() if one.detail}
    return named | fixed


def by_status(kinds: tuple[int | Kind, ...]) -> dict[int, list[Kind]]:
    """Return the kinds of errors by their status; a bare status stands for the usual kind of it."""
    found: dict[int, list[Kind]] = {}
    for one in kinds:
        kind = USUAL_KINDS[one] if isinstance(one, int) else one
        found.setdefault(problem_type_of(kind).status, []).append(kind)
    return found
