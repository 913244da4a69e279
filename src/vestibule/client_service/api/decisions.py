"""The routes of decisions: list, stream and count them, and get the receipt of one."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart, listing
from vestibule.client_service.decisions.rates import MOST_MINUTES
from vestibule.contracts.decisions import (
    COUNTS_KEPT_DAYS,
    DECISION_CURSOR_PATTERN,
    DECISION_ID_PATTERN,
    ENTITY_PATTERN,
    Action,
    DecisionCounts,
    DecisionFilter,
    DecisionPage,
    DecisionRates,
    Outcome,
    Text,
)
from vestibule.contracts.entries import EVENT_STREAM
from vestibule.contracts.errors import DecisionNotFound, InvalidInput, TooManyWaiting
from vestibule.contracts.identity import Visibility
from vestibule.contracts.json_types import Timestamp
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["decisions"], dependencies=[allow("decisions")])
receipt_router = APIRouter(route_class=GuardedRoute, tags=["receipts"], dependencies=[allow("receipts")])

DAYS_COUNTED = 30
MOST_A_SECOND = 1000

Token = Annotated[Text | None, Query(description="Id or name of a token", examples=["reports"])]
Route = Annotated[Text | None, Query(description="The route that was called", examples=["/add"])]
EntityName = Annotated[str | None, Query(pattern=ENTITY_PATTERN, description="Found", examples=["EMAIL_ADDRESS"])]
ActionName = Annotated[Action | None, Query(description="The strictest action that was taken", examples=["redact"])]
OutcomeName = Annotated[Outcome | None, Query(description="What became of it", examples=["let_in"])]
Since = Annotated[
    Timestamp | None, Query(description="Not before this time (RFC 3339)", examples=["2026-01-01T00:00:00Z"])
]
Until = Annotated[Timestamp | None, Query(description="Before this time", examples=["2027-01-01T00:00:00Z"])]
Cursor = Annotated[
    str | None,
    Query(
        pattern=DECISION_CURSOR_PATTERN,
        description="The `cursor` of the previous page",
        examples=["1767225600000000.4711"],
    ),
]
DecisionId = Annotated[
    str,
    Path(pattern=DECISION_ID_PATTERN, description="The `decision_id` in an answer", examples=["5f3a9c21d0b4e876"]),
]


class ReceiptReply(BaseModel):
    """The signed receipt of a decision."""

    decision_id: str = Field(examples=["5f3a9c21d0b4e876"])
    receipt: str = Field(
        description="A compact JWS; `vestibule receipt verify` or any JOSE library checks it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


@router.get(
    "/decisions",
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problem_responses(422, TooManyWaiting, 503),
    },
    response_model=DecisionPage,
    response_model_exclude_none=True,
)
async def list_decisions(
    *,
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
    since: Since = None,
    until: Until = None,
    token: Token = None,
    route: Route = None,
    entity: EntityName = None,
    action: ActionName = None,
    outcome: OutcomeName = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Decisions per page")] = 50,
    at_most: Annotated[
        int | None, Query(ge=1, le=MOST_A_SECOND, description="Decisions a second of a stream; the rest is counted")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> DecisionPage | Response:
    """Return the decisions of your tenant, newest first; with the scope `operator` those of all.

    Those with findings arrive within two seconds of the answer, others are kept with `keep_clean = true` in the policy.

    With `Accept: text/event-stream` decisions are streamed as they are made, by all replicas and workers, with findings
    or without: events `decision` with the same members. `missed` says how many were left out because the listener or
    the connection was slow. With `at_most` so many are sent a second, and once a second an event `sampled` says
    how many others there were (`left_out`). `since`, `until` and `cursor` do not apply to a stream. Reconnect when it
    ends.
    """
    wanted = DecisionFilter.model_construct(
        tenant=_tenant_of(caller, visibility),
        token=token,
        route=route,
        entity=entity,
        action=action,
        outcome=outcome,
        since=since,
        until=until,
    )
    if EVENT_STREAM not in accept:
        if at_most is not None:
            _refuse({"at_most": "absent from a page"}, "page")
        async with listing(wiring, caller):
            return await wiring.decisions.page(wanted, limit, cursor)
    given = {"since": since, "until": until, "cursor": cursor}
    _refuse({name: "absent from a stream" for name, value in given.items() if value is not None}, "stream")
    async with wiring.opening_streams.of(caller.token_id):
        events = wiring.decision_stream.listen(wanted, caller.token_id, caller.tenant, at_most)
    # Proxies on the way must not buffer events.
    return StreamingResponse(events, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


@router.get("/decisions/counts", responses=problem_responses(422, 503))
async def count_decisions(
    wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart, since: Since = None, until: Until = None
) -> DecisionCounts:
    """Return how many decisions were made, by day (in UTC), route, action and entity; of the last 30 days by default.

    The days of `since` and `until` are counted whole. Counts are exact, and kept for 400 days.
    """
    last = _day_of(datetime.now(UTC) if until is None else until)
    first = date.fromordinal(max(1, last.toordinal() - DAYS_COUNTED)) if since is None else _day_of(since)
    if last - first > timedelta(days=COUNTS_KEPT_DAYS):
        mistake = {"where": "query/since", "kind": "range", "expected": f"at most {COUNTS_KEPT_DAYS} days"}
        raise InvalidInput("The request is not valid. Check: query/since.", errors=[mistake])
    tenant = _tenant_of(caller, visibility)
    return DecisionCounts(counts=await wiring.decisions.counts(first, last, tenant))


@router.get("/decisions/rates", responses=problem_responses(422, 503))
async def get_decision_rates(
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
    minutes: Annotated[int, Query(ge=1, le=MOST_MINUTES, description="Minutes, with the one that runs")] = 60,
) -> DecisionRates:
    """Return how many decisions were made in each of the last minutes, by all replicas and workers.

    They are some two seconds old at most. A lost Redis loses them; the counts of each day are exact.
    """
    return await wiring.decision_rates.read(_tenant_of(caller, visibility), minutes)


@receipt_router.get("/receipts/{decision_id}", responses=problem_responses(DecisionNotFound, 422, 503))
async def get_receipt(
    decision_id: DecisionId, wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> ReceiptReply:
    """Return the signed receipt of a decision of your tenant that is recorded."""
    found = await wiring.decisions.find([decision_id], _tenant_of(caller, visibility))
    for record in found:
        if record.decision_id == decision_id:
            return ReceiptReply(decision_id=decision_id, receipt=wiring.receipt_signer.sign_record(record))
    raise DecisionNotFound(_why_unknown(wiring))


def _day_of(moment: datetime) -> date:
    """Return the day in UTC; of a time that UTC puts before the year 1 or after 9999, the first or the last one."""
    try:
        return moment.astimezone(UTC).date()
    except OverflowError:
        return moment.date()


def _tenant_of(caller: Caller, visibility: Visibility) -> str | None:
    return None if visibility.tenants is None else caller.tenant


def _why_unknown(wiring: ClientWiring) -> str:
    kept = "all are kept" if wiring.policies.current.keeps_clean else "those without findings are not kept"
    return (
        "No decision of your tenant with that id is recorded. It arrives within two seconds of the answer; by the "
        f"policy in force {kept} (`keep_clean`); older ones are removed. `Prefer: receipt` signs at once."
    )


def _refuse(expected: Mapping[str, str], kind: str) -> None:
    mistakes = [{"where": f"query/{name}", "kind": kind, "expected": what} for name, what in expected.items()]
    if mistakes:
        places = ", ".join(mistake["where"] for mistake in mistakes)
        raise InvalidInput(f"The request is not valid. Check: {places}.", errors=mistakes)
