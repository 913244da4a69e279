"""The routes of groups of alerts: list, get, acknowledge and resolve them."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from vestibule.alerts import AlertType, Severity
from vestibule.alerts.store.groups import GroupFilter
from vestibule.alerts.store.search import CURSOR_PATTERN
from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import AlertGroupNotFound, InvalidInput, PersonalDataFound
from vestibule.contracts.identity import SENDER_PATTERN, Visibility
from vestibule.contracts.json_types import Timestamp
from vestibule.contracts.reasons import Reason
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["alerts"], dependencies=[allow("alerts")])

CHANGE_PROBLEMS = problem_responses(AlertGroupNotFound, InvalidInput, PersonalDataFound)
ENTITY_PATTERN = r"^[A-Z][A-Z0-9_]{0,63}$"
ID_PATTERN = r"^[0-9a-f]{16}$"

StateName = Literal["open", "acknowledged", "resolved"]
EntityQuery = Annotated[
    str | None, Query(pattern=ENTITY_PATTERN, description="Only those with this entity", examples=["EMAIL_ADDRESS"])
]
TokenQuery = Annotated[
    str | None,
    Query(pattern=f"^{SENDER_PATTERN}$", description="Only those of the token with this id", examples=["development"]),
]
GroupId = Annotated[
    str,
    Path(pattern=ID_PATTERN, description="The id of a group, which its first alert has", examples=["9a76fd8275cf19f0"]),
]


class TriageNote(BaseModel):
    """The reason for a change of an alert."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = Field(default=None, examples=["ticket 4711: a test of our own"])


class DeliveryView(BaseModel):
    """The state of a notification, and its last error."""

    model_config = ConfigDict(from_attributes=True)

    channel: str = Field(examples=["webhook"])
    event: str = Field(examples=["raised"])
    state: str = Field(
        description="`waiting`, `done`, `given_up` or `merged`: sent with another group", examples=["done"]
    )
    attempts: int
    error: str | None = Field(examples=["no answer"])
    created: datetime = Field(description="When it was due first")
    tried: datetime | None = Field(description="When it was tried last")
    next_attempt: datetime | None = Field(description="When it is tried next, while it waits")


class ChangeView(BaseModel):
    """A change of the state of a group."""

    model_config = ConfigDict(from_attributes=True)

    state: str = Field(examples=["acknowledged"])
    by: str | None = Field(description="The name of the token, or the service whose alert did it", examples=["on-call"])
    reason: str | None
    at: datetime


class SilencedView(BaseModel):
    """A notification that a silence held back."""

    model_config = ConfigDict(from_attributes=True)

    silence_id: str = Field(examples=["9a76fd8275cf19f0"])
    event: str = Field(examples=["raised"])
    at: datetime


class GroupSummaryView(BaseModel):
    """A group of alerts, and its state."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="The id of its first alert")
    type: str = Field(examples=["PersonalData"])
    severity: str = Field(description="The highest of its alerts", examples=["warning"])
    count: int = Field(description="Its alerts, exactly")
    first: datetime
    last: datetime
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    token_id: str | None = Field(description="The token of its first alert")
    token_name: str | None = Field(examples=["orders"])
    tenant: str
    state: str = Field(description="`open`, `acknowledged` or `resolved`", examples=["acknowledged"])
    state_by: str | None
    state_reason: str | None
    state_since: datetime | None


class GroupView(GroupSummaryView):
    """A group with the changes of its state, its notifications, newest first, and those that silences held back."""

    history: list[ChangeView] = Field(description="The last 50 changes, in their order")
    deliveries: list[DeliveryView]
    silenced_by: list[SilencedView]


class GroupList(BaseModel):
    """Groups, by the time of their last alert, and where the next page starts."""

    groups: list[GroupSummaryView]
    cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null on the last page",
        examples=["1769860800000000-9a76fd8275cf19f0"],
    )
    stopped_at: datetime | None = Field(
        description="Set where the search stopped before the page was full; `cursor` goes on from there"
    )
    replica: str = Field(
        description="The host that answers. Replicas with data directories of their own have groups of their own",
        examples=["host-1"],
    )


@router.get("/alert-groups", responses=problem_responses(422))
async def list_alert_groups(
    *,
    wiring: WiringPart,
    visibility: VisibilityPart,
    state: Annotated[StateName | None, Query(description="Only groups in this state", examples=["open"])] = None,
    group_type: Annotated[
        AlertType | None, Query(alias="type", description="Only groups of this type", examples=["Secret"])
    ] = None,
    severity: Annotated[
        Severity | None, Query(description="Only groups of this severity", examples=["critical"])
    ] = None,
    token: TokenQuery = None,
    entity: EntityQuery = None,
    since: Annotated[
        Timestamp | None,
        Query(description="Only groups whose last alert was from then on", examples=["2026-01-31T12:00:00Z"]),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Groups per page")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            pattern=CURSOR_PATTERN,
            description="The `cursor` of the previous page, with the same filters",
            examples=["1769860800000000-9a76fd8275cf19f0"],
        ),
    ] = None,
) -> GroupList:
    """Return the groups of your tenant, by their last alert, a page at a time; with the scope `operator` those of all.

    A page examines at most 1,000 groups, so it may have fewer than `limit`, or none, and a `cursor`.
    """
    matching = GroupFilter(state, group_type, severity, token, entity, since)
    page = await asyncio.to_thread(
        wiring.alert_groups.page, limit=limit, cursor=cursor, visibility=visibility, matching=matching
    )
    return GroupList(
        groups=[GroupSummaryView.model_validate(group) for group in page.groups],
        cursor=page.cursor,
        stopped_at=page.stopped_at,
        replica=wiring.replica,
    )


@router.get("/alert-groups/{group_id}", responses=problem_responses(AlertGroupNotFound, 422))
async def get_alert_group(group_id: GroupId, wiring: WiringPart, visibility: VisibilityPart) -> GroupView:
    """Return a group with the changes of its state, its notifications, and the silences that held some back."""
    return GroupView.model_validate(await asyncio.to_thread(wiring.alert_groups.get, group_id, visibility))


@router.post("/alert-groups/{group_id}/ack", responses=CHANGE_PROBLEMS)
@audited(Act.ALERT_ACKNOWLEDGED)
async def acknowledge_alert_group(
    group_id: GroupId,
    note: Annotated[TriageNote, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> GroupView:
    """Acknowledge a group: no more reminders are sent for it."""
    return await _change(wiring, caller, visibility, group_id, state="acknowledged", note=note)


@router.post("/alert-groups/{group_id}/resolve", responses=CHANGE_PROBLEMS)
@audited(Act.ALERT_RESOLVED)
async def resolve_alert_group(
    group_id: GroupId,
    note: Annotated[TriageNote, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> GroupView:
    """Resolve a group; later alerts form a new one. What was acknowledged, by whom and why stays in its history."""
    return await _change(wiring, caller, visibility, group_id, state="resolved", note=note)


async def _change(
    wiring: ClientWiring, caller: Caller, visibility: Visibility, group_id: str, *, state: str, note: TriageNote
) -> GroupView:
    await wiring.screener.refuse_findings("reason", note.reason or "")
    note_act(reason=note.reason)
    await asyncio.to_thread(wiring.alert_groups.get, group_id, visibility)
    await asyncio.to_thread(wiring.alert_groups.change, group_id, state, caller.name, note.reason)
    return GroupView.model_validate(await asyncio.to_thread(wiring.alert_groups.get, group_id, visibility))
