"""Hooks of schemathesis: what its generator cannot know of this API. Loaded by `SCHEMATHESIS_HOOKS`."""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import schemathesis

# Refusals of requests that the description allows, since no schema can express the rule: operation, kind of the problem
# or of the mistake, and the reason. `schemathesis.toml` turns the check of schemathesis off, which knows statuses only.
EXCEPTIONS = (
    (r".*", "precondition-failed", "whether `If-Match` and `If-None-Match` hold depends on the entry"),
    (r".*", "(personal-data-found|scan-impossible)", "a generated text may hold a finding"),
    (r"POST /(run|messages|schedules|process)", "unknown-processor", "operators add processors"),
    (
        r"POST /(run|messages|schedules|process)",
        "body/options.*",
        "each processor has its own options: `GET /processors`",
    ),
    (r"POST /messages", "(not-processable|result-refused)", "whether a text suits a processor depends on both"),
    (r"POST /process", "not-processable", "whether a text suits a processor depends on both"),
    (r"POST /messages", "body", "`mode: sync` makes no task, so it excludes what belongs to one"),
    (r"POST /(run|messages)", "body/callback.*", "webhooks are off, and addresses are resolved"),
    (r"POST /schedules", "schedule", "the grammar of cron and the names of time zones are no JSON Schema"),
    (
        r"POST /(add|run)",
        "query(/.*)?",
        "the query stands in for a body that is absent or null, and is not read beside one",
    ),
    (r"POST /(add|write)/batch", "body", "a batch names each key once; JSON Schema compares whole items only"),
    (r"POST /subjects/erase-ended", "invalid-input", "a cursor is what a page gave; its form depends on the store"),
    (r"POST /maintenance", "invalid-input", "a window is valid in relation to the time of the request"),
    (r"POST /scan", "unknown_entity", "the names of the entities depend on the detectors that are installed"),
    (
        r"POST /scan",
        "body/(allow_patterns|fingerprint_key)",
        "no JSON Schema knows the grammar of expressions, or a key",
    ),
    (r"POST /scan", "query/(columns|delimiter|field)", "some belong to a body of CSV, some to one of JSON"),
    (r"POST /scan", "missing", "CSV has a header row"),
    (r"GET /decisions", "query/at_most", "only a stream is sampled, which the header `Accept` asks for"),
    (r"POST /allowances", "body", "a fingerprint needs an entity beside it"),
    (r"POST /allowances", "body/alert_id", "an alert may be about no value"),
    (
        r"POST /reveal",
        "(unknown-token|key-not-found|token-retired|invalid-input)",
        "only tokens that the service has given stand for a value",
    ),
    (r"PATCH /silences/{silence_id}|POST /allowances", "body/(end|until)", "an end is after the time of the request"),
    (r"POST /allowances", "body/entity", "the names of the entities depend on the detectors that are installed"),
    (r"POST /policy/(test|replay)", "body/policy", "a draft is TOML, whose grammar is no JSON Schema"),
    (r"POST /policy/test", "body/samples/[0-9]+/expect", "names of members are entities"),
    (r"POST /queue/(pause|resume)", "unknown-processor", "operators add processors"),
    (r"POST /tokens", "body/expires_at", "a token ends after the time of the request"),
    (r"POST /audit/add", "body/records/[0-9]+/time", "no JSON Schema compares times, and an act is not before 1970"),
    (r"POST /forms/{name}", "form-invalid|too_long", "how long a value may be is the definition's affair"),
    (r"POST /forms/{name}", "too_many_values", "the values of all lists together are counted"),
    (r"POST /forms/{name}", "name_invalid", "the pattern of printable characters, as below"),
    (r".*", "printable", "the pattern of printable characters leaves out those that are unassigned or above U+FFFF"),
    (r".*", "bytes", "JSON Schema counts characters; keys and values are measured in UTF-8"),
    (r".*", "operation_reused|idempotency-key-reused", "an idempotency key belongs to the first request with it"),
)

# Lines are text; what is wrong with one is said in the line that answers it.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Send each request under an idempotency key of its own: one key for two requests is refused."""
    if case.headers and "idempotency-key" in case.headers and case.meta.generation.mode.is_positive:
        case.headers["idempotency-key"] = uuid4().hex


@schemathesis.check
def valid_data_is_accepted(_context: Any, response: Any, case: Any) -> None:
    """Fail where a request that the description allows is refused for a reason that is not in `EXCEPTIONS`."""
    if case.path.startswith("/presidio/"):
        # Its errors have no kind, and may be a 500 that is the client's. The service itself must not fail.
        assert b"The service failed" not in response.content
        return
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in range(400, 500):
        return
    if response.status_code in (401, 403, 404, 409, 410, 429):
        return
    unexpected = [names for names in _reasons(response) if not _is_excepted(case.operation.label, names)]
    assert not unexpected, f"valid data was refused: {response.status_code} {unexpected}"


def _reasons(response: Any) -> Iterator[tuple[str, ...]]:
    """Yield the names that each reason of a refusal goes by."""
    problem = json.loads(response.content)
    kind = problem["type"].rpartition("/")[2]
    mistakes = problem.get("errors", [])
    if not mistakes:
        yield (kind,)
    for mistake in mistakes:
        expected = str(mistake["expected"])
        words = [word for word in ("printable", "bytes") if word in expected]
        yield (mistake["kind"], mistake["where"], *words)


def _is_excepted(operation: str, names: tuple[str, ...]) -> bool:
    return any(
        re.fullmatch(where, operation) and any(re.fullmatch(what, name) for name in names)
        for where, what, _reason in EXCEPTIONS
    )
