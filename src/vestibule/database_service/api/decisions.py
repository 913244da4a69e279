"""The routes of decisions: record a batch, list, find and count them."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.decisions import (
    DECISION_CURSOR_PATTERN,
    ENTITY_PATTERN,
    MAX_IDS,
    Action,
    DecisionBatch,
    DecisionCounts,
    DecisionFiles,
    DecisionFilter,
    DecisionIds,
    DecisionPage,
    FilePosition,
    FilePositions,
    FoundDecisions,
    HitCounts,
    HitKind,
    Outcome,
    Text,
)
from vestibule.contracts.json_types import Timestamp
from vestibule.database_service.api.dependencies import WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(
    route_class=GuardedRoute, prefix="/decisions", tags=["decisions"], responses=problem_responses(422, 503)
)
Tenant = Annotated[
    Text | None, Query(description="The tenant that they belong to; all if absent", examples=["default"])
]


@router.post("/ship", dependencies=[allow("write")])
async def add_decisions(batch: DecisionBatch, wiring: WiringPart) -> FilePosition:
    """Record a batch that goes on where its file was recorded to; any other changes nothing.

    The answer says where the next batch of the file has to start. What it says is recorded is on disk.
    """
    return FilePosition(position=await wiring.decisions.add(batch))


@router.post("/positions", dependencies=[allow("read")])
async def get_file_positions(request: DecisionFiles, wiring: WiringPart) -> FilePositions:
    """Return how far each of these files was recorded; those of which nothing was are absent."""
    return FilePositions(positions=dict(await wiring.decisions.positions(request.files)))


@router.post("/find", dependencies=[allow("read")], response_model_exclude_none=True)
async def find_decisions(request: DecisionIds, wiring: WiringPart) -> FoundDecisions:
    """Return decisions by their ids, or by those of their requests, tasks or alerts; the oldest first, 100 at most."""
    return FoundDecisions(decisions=await wiring.decisions.find(request.ids, request.tenant, MAX_IDS))


@router.get("/counts", dependencies=[allow("read")])
async def count_decisions(
    wiring: WiringPart,
    first: Annotated[date, Query(description="The first day, in UTC", examples=["2026-01-01"])],
    last: Annotated[date, Query(description="The last day, in UTC", examples=["2026-01-31"])],
    tenant: Tenant = None,
) -> DecisionCounts:
    """Return the counts of these days, which are maintained with each batch."""
    return DecisionCounts(counts=await wiring.decisions.counts(first, last, tenant))


@router.get("/hits", dependencies=[allow("read")])
async def count_hits(
    wiring: WiringPart,
    kind: Annotated[HitKind, Query(description="What is counted", examples=["rule"])],
    first: Annotated[date, Query(description="The first day, in UTC", examples=["2026-01-01"])],
    last: Annotated[date, Query(description="The last day, in UTC", examples=["2026-01-31"])],
    tenant: Tenant = None,
) -> HitCounts:
    """Return in how many decisions of these days each rule decided, or each allowance applied."""
    return HitCounts(hits=await wiring.decisions.hits(kind, first, last, tenant))


@router.get("", dependencies=[allow("read")], response_model_exclude_none=True)
async def list_decisions(
    *,
    wiring: WiringPart,
    tenant: Tenant = None,
    token: Annotated[Text | None, Query(description="Id or name of a token", examples=["reports"])] = None,
    route: Annotated[Text | None, Query(description="The route that was called", examples=["/add"])] = None,
    entity: Annotated[
        str | None, Query(pattern=ENTITY_PATTERN, description="Found", examples=["EMAIL_ADDRESS"])
    ] = None,
    action: Annotated[Action | None, Query(description="The strictest that was taken", examples=["redact"])] = None,
    outcome: Annotated[Outcome | None, Query(description="What became of it", examples=["let_in"])] = None,
    since: Annotated[Timestamp | None, Query(description="Not before", examples=["2026-01-01T00:00:00Z"])] = None,
    until: Annotated[Timestamp | None, Query(description="Before", examples=["2027-01-01T00:00:00Z"])] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Decisions per page")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            pattern=DECISION_CURSOR_PATTERN,
            description="The `cursor` of the previous page",
            examples=["1767225600000000.4711"],
        ),
    ] = None,
) -> DecisionPage:
    """Return decisions, the newest first, a page at a time."""
    wanted = DecisionFilter(
        tenant=tenant,
        token=token,
        route=route,
        entity=entity,
        action=action,
        outcome=outcome,
        since=since,
        until=until,
    )
    return await wiring.decisions.page(wanted, limit, cursor)
