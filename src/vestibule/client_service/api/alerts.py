"""The routes of alerts: find, get, acknowledge and resolve them."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vestibule.alerts import AlertType, Severity
from vestibule.alerts.store.archive import AlertFilter
from vestibule.alerts.store.search import CURSOR_PATTERN
from vestibule.client_service.api.alert_groups import (
    ID_PATTERN,
    EntityQuery,
    GroupView,
    StateName,
    TokenQuery,
    TriageNote,
)
from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import AlertNotFound, InvalidInput, PersonalDataFound
from vestibule.contracts.identity import Visibility
from vestibule.contracts.json_types import Timestamp
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["alerts"], dependencies=[allow("alerts")])

CHANGE_PROBLEMS = problem_responses(AlertNotFound, InvalidInput, PersonalDataFound)

AlertId = Annotated[str, Path(description="The `alert_id` in a rejection, a report or the list of alerts")]


class AlertView(BaseModel):
    """An alert. It reveals nothing of the value that it is about."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    time: Annotated[str, BeforeValidator(datetime.isoformat), Field(json_schema_extra={"format": "date-time"})]
    type: str = Field(examples=["PersonalData"])
    severity: str = Field(examples=["warning"])
    description: str
    service: str = Field(examples=["client"])
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    fingerprint: str | None = Field(description="Keyed: equal for equal values, which cannot be derived from it")
    request_id: str | None
    token_id: str | None
    token_name: str | None = Field(description="The name that the token had then", examples=["orders"])
    task_id: str | None
    tenant: str = Field(description="The tenant that it belongs to; `~system` for alerts about parts of the system")
    subject: str | None = Field(
        description="The part, queue or channel that it is about, or processor and cause", examples=["database"]
    )
    count: int
    allow: str | None = Field(
        description="The command that lets its value pass where it was found by mistake, as `POST /allowances` does",
        examples=["vestibule allowance add 9a76fd8275cf19f0 --reason REASON --for 1d"],
    )


class AlertList(BaseModel):
    """Alerts, newest first, and where the next page starts."""

    alerts: list[AlertView]
    cursor: str | None = Field(
        description="Pass it as `cursor` for the next page; null on the last page", examples=["1769860800000000-4711"]
    )
    stopped_at: datetime | None = Field(
        description="Set where the search stopped before the page was full: the time of the last alert that was "
        "examined; `cursor` goes on from there"
    )
    replica: str = Field(
        description="The host that answers. Replicas with data directories of their own have alerts of their own",
        examples=["host-1"],
    )


class AlertDetail(AlertView):
    """An alert with its group; null until it has one."""

    group: GroupView | None


@router.get("/alerts", responses=problem_responses(422))
async def list_alerts(
    *,
    wiring: WiringPart,
    visibility: VisibilityPart,
    alert_type: Annotated[
        AlertType | None, Query(alias="type", description="Only alerts of this type", examples=["Secret"])
    ] = None,
    severity: Annotated[
        Severity | None, Query(description="Only alerts of this severity", examples=["critical"])
    ] = None,
    state: Annotated[
        StateName | None, Query(description="Only alerts whose group is in this state", examples=["open"])
    ] = None,
    entity: EntityQuery = None,
    token: TokenQuery = None,
    since: Annotated[
        Timestamp | None, Query(description="Only alerts from then on", examples=["2026-01-31T12:00:00Z"])
    ] = None,
    until: Annotated[
        Timestamp | None, Query(description="Only alerts until then", examples=["2026-01-31T13:00:00Z"])
    ] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            description="The id of an alert, a request or a task. Where it is none of these, a part of the description "
            "or the subject",
            examples=["9638cc59bda34a3ca9d5f4bd55eeedb0"],
        ),
    ] = None,
    group: Annotated[
        str | None,
        Query(pattern=ID_PATTERN, description="Only alerts of the group with this id", examples=["9a76fd8275cf19f0"]),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Alerts per page")] = 50,
    cursor: Annotated[
        str | None,
        Query(
            pattern=CURSOR_PATTERN,
            description="The `cursor` of the previous page, with the same filters",
            examples=["1769860800000000-4711"],
        ),
    ] = None,
) -> AlertList:
    """Return the alerts of your tenant, newest first, a page at a time; with the scope `operator` those of all.

    A page examines at most 1,000 alerts, so it may have fewer than `limit`, or none, and a `cursor`.
    """
    matching = AlertFilter(alert_type, severity, state, entity, token, since, until, q, group)
    page = await asyncio.to_thread(
        wiring.alert_archive.page, limit=limit, cursor=cursor, visibility=visibility, matching=matching
    )
    return AlertList(
        alerts=[AlertView.model_validate(alert) for alert in page.alerts],
        cursor=page.cursor,
        stopped_at=page.stopped_at,
        replica=wiring.replica,
    )


@router.get("/alerts/{alert_id}", responses=problem_responses(AlertNotFound))
async def get_alert(alert_id: AlertId, wiring: WiringPart, visibility: VisibilityPart) -> AlertDetail:
    """Return one alert, with its group and its notifications."""
    return await asyncio.to_thread(_detail, alert_id, wiring, visibility)


@router.post("/alerts/{alert_id}/ack", responses=CHANGE_PROBLEMS)
@audited(Act.ALERT_ACKNOWLEDGED)
async def acknowledge_alert(
    alert_id: AlertId,
    note: Annotated[TriageNote, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> AlertDetail:
    """Acknowledge the group of an alert: no more reminders are sent for it."""
    return await _change(wiring, caller, visibility, alert_id, state="acknowledged", note=note)


@router.post("/alerts/{alert_id}/resolve", responses=CHANGE_PROBLEMS)
@audited(Act.ALERT_RESOLVED)
async def resolve_alert(
    alert_id: AlertId,
    note: Annotated[TriageNote, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> AlertDetail:
    """Resolve the group of an alert; later alerts form a new group."""
    return await _change(wiring, caller, visibility, alert_id, state="resolved", note=note)


async def _change(
    wiring: ClientWiring, caller: Caller, visibility: Visibility, alert_id: str, *, state: str, note: TriageNote
) -> AlertDetail:
    await wiring.screener.refuse_findings("reason", note.reason or "")
    note_act(reason=note.reason)
    await asyncio.to_thread(wiring.alert_archive.get, alert_id, visibility)
    await asyncio.to_thread(wiring.alert_groups.change_of_alert, alert_id, state, caller.name, note.reason)
    return await asyncio.to_thread(_detail, alert_id, wiring, visibility)


def _detail(alert_id: str, wiring: ClientWiring, visibility: Visibility) -> AlertDetail:
    alert, group = wiring.alert_archive.get(alert_id, visibility), wiring.alert_groups.group_of(alert_id)
    view = None if group is None else GroupView.model_validate(group)
    return AlertDetail(**AlertView.model_validate(alert).model_dump(exclude={"time"}), time=alert.time, group=view)
