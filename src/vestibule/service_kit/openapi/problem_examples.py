"""What each problem looks like, for the description of the API: rendered from the errors themselves."""

from collections.abc import Mapping
from typing import Any

import orjson

from vestibule.contracts import errors
from vestibule.service_kit.problems import render_error, status_of

Kind = type[errors.VestibuleError]

_REQUEST_ID = "9638cc59bda34a3ca9d5f4bd55eeedb0"
_MISTAKE = {"where": "body/key", "kind": "missing", "expected": "Field required"}
_FINDING = {"entity": "EMAIL_ADDRESS", "start": 9, "end": 25, "score": 0.95, "field": "value", "action": "block"}

_SAMPLES: tuple[errors.VestibuleError, ...] = (
    errors.InvalidInput("The request is not valid. Look at: body/key.", errors=[_MISTAKE]),
    errors.UnknownProcessor("No such processor. Known: normalize, uppercase."),
    errors.TooLarge("The body may have at most 4,194,304 bytes."),
    errors.PersonalDataFound(
        "The value holds what may not come in: EMAIL_ADDRESS. Nothing was stored.",
        findings=[_FINDING],
        alert_id="9a76fd8275cf19f0",
        receipt="eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…",
    ),
    errors.IdempotencyKeyReused("The key came with another request before; use a new one for each request."),
    errors.ScanImpossible("The text could not be checked within the time that a scan may take. It was not stored."),
    errors.InvalidToken("Send a valid token in the header `Authorization: Bearer TOKEN`."),
    errors.TooManyAuthFailures("Too many unknown tokens came from this address; try again later."),
    errors.ScopeMissing("The token needs the scope `add`.", scope="add"),
    errors.NotFound("No part has that name."),
    errors.KeyNotFound("Nothing is stored under that key."),
    errors.TaskNotFound("No task of that id was accepted here."),
    errors.AlertNotFound("No alert has that id."),
    errors.HeartbeatNotFound("No heartbeat has that name."),
    errors.MaintenanceNotFound("No maintenance window has that id."),
    errors.ScheduleNotFound("No schedule of that id is kept here."),
    errors.WebhooksDisabled("Callbacks need VESTIBULE_CALLBACK_SECRET here."),
    errors.UnknownToken("It is not a token that was made here for your tenant."),
    errors.TaskConflict("It has ended already."),
    errors.RequestInProgress("The same request is being served at the moment; repeat it a little later."),
    errors.PreconditionFailed(3),
    errors.ResultExpired("The task was done, and its result is not kept any more."),
    errors.TokenRetired("Its key was retired; what it stood for cannot be revealed any more."),
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
    422: errors.InvalidInput,
    429: errors.TooManyAuthFailures,
    503: errors.Unavailable,
}


def sample_of(kind: Kind) -> dict[str, Any]:
    """Return the problem document of an error of that kind."""
    document: dict[str, Any] = orjson.loads(render_error(_SAMPLE_OF[kind], _REQUEST_ID).body)
    return document


def by_status(kinds: tuple[int | Kind, ...]) -> dict[int, list[Kind]]:
    """Return the kinds of errors by their status; a bare status stands for the usual kind of it."""
    found: dict[int, list[Kind]] = {}
    for one in kinds:
        kind = USUAL_KINDS[one] if isinstance(one, int) else one
        found.setdefault(status_of(_SAMPLE_OF[kind]), []).append(kind)
    return found
