"""The routes of alerts: list, get, acknowledge and resolve them, and silence their notifications."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vestibule.alerts import AlertType
from vestibule.alerts.store.archive import CURSOR_PATTERN, Silence
from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart
from vestibule.contracts.errors import AlertNotFound, InvalidInput, PersonalDataFound
from vestibule.contracts.identity import SENDER_PATTERN, Visibility
from vestibule.contracts.json_types import Number
from vestibule.contracts.reasons import GivenReason, Reason
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["alerts"], dependencies=[allow("alerts")])

SHORTEST_SILENCE_H = 0.01
CHANGE_PROBLEMS = problem_responses(AlertNotFound, InvalidInput, PersonalDataFound)

AlertId = Annotated[str, Path(description="The `alert_id` in a rejection, a report or the list of alerts")]


class AlertView(BaseModel):
    """An alert. It reveals nothing of the value that it is about."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    time: Annotated[str, BeforeValidator(datetime.isoformat)]
    type: str = Field(examples=["PersonalData"])
    severity: str = Field(examples=["warning"])
    description: str
    service: str = Field(examples=["client"])
    entities: list[str] = Field(examples=[["EMAIL_ADDRESS"]])
    fingerprint: str | None = Field(description="Keyed: equal for equal values, which cannot be derived from it")
    request_id: str | None
    token_id: str | None
    task_id: str | None
    tenant: str = Field(description="The tenant that it belongs to; `~system` for alerts about parts of the system")
    subject: str | None = Field(
        description="The part, queue or channel that it is about, or processor and cause", examples=["database"]
    )
    count: int


class AlertList(BaseModel):
    """Alerts, newest first, and where the next page starts."""

    alerts: list[AlertView]
    cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last page")


class TriageNote(BaseModel):
    """The reason for a change of an alert."""

    reason: Reason | None = Field(default=None, examples=["ticket 4711: a test of our own"])


class SilenceRequest(BaseModel):
    """Which notifications to suppress, for how long, and why. A member that is left out matches everything."""

    type: AlertType | None = None
    token_id: str | None = Field(default=None, pattern=f"^{SENDER_PATTERN}$")
    entity: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,63}$", examples=["EMAIL_ADDRESS"])
    reason: GivenReason
    hours: Number = Field(ge=SHORTEST_SILENCE_H, le=24 * 365, description="Hours until it ends", examples=[2])


class SilenceView(BaseModel):
    """A silence."""

    id: str
    type: str | None = Field(examples=["PersonalData"])
    token_id: str | None
    entity: str | None = Field(examples=["EMAIL_ADDRESS"])
    author: str = Field(description="The name of the token that added it")
    tenant: str = Field(description="The tenant whose alerts it applies to; `~system` for those of all")
    reason: str
    start: datetime
    end: datetime


class DeliveryView(BaseModel):
    """The state of a notification, and its last error."""

    channel: str = Field(examples=["webhook"])
    event: str = Field(examples=["raised"])
    state: str = Field(
        description="`waiting`, `done`, `given_up` or `merged`: sent with another group", examples=["done"]
    )
    attempts: int
    error: str | None = Field(examples=["no answer"])


class GroupView(BaseModel):
    """The group of an alert, and its state."""

    id: str = Field(description="The id of its first alert")
    severity: str = Field(examples=["warning"])
    count: int
    first: datetime
    last: datetime
    state: str = Field(description="`open`, `acknowledged` or `resolved`", examples=["acknowledged"])
    state_by: str | None
    state_reason: str | None
    state_since: datetime | None
    deliveries: list[DeliveryView]


class AlertDetail(AlertView):
    """An alert with its group; null until it has one."""

    group: GroupView | None


@router.get("/alerts", responses=problem_responses(422))
async def list_alerts(
    wiring: WiringPart,
    visibility: VisibilityPart,
    limit: Annotated[int, Query(ge=1, le=500, description="Alerts per page")] = 50,
    cursor: Annotated[
        str | None,
        Query(pattern=CURSOR_PATTERN, description="The `cursor` of the previous page", examples=["4711"]),
    ] = None,
) -> AlertList:
    """Return the alerts of your tenant, newest first, a page at a time; with the scope `operator` those of all."""
    page = await asyncio.to_thread(wiring.alert_archive.page, limit=limit, cursor=cursor, visibility=visibility)
    return AlertList(alerts=[AlertView.model_validate(alert) for alert in page.alerts], cursor=page.cursor)


@router.get("/alerts/{alert_id}", responses=problem_responses(AlertNotFound))
async def get_alert(alert_id: AlertId, wiring: WiringPart, visibility: VisibilityPart) -> AlertDetail:
    """Return one alert, with its group and its notifications."""
    return await asyncio.to_thread(_detail, alert_id, wiring, visibility)


@router.post("/alerts/{alert_id}/ack", responses=CHANGE_PROBLEMS)
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
async def resolve_alert(
    alert_id: AlertId,
    note: Annotated[TriageNote, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> AlertDetail:
    """Resolve the group of an alert; later alerts form a new group."""
    return await _change(wiring, caller, visibility, alert_id, state="resolved", note=note)


@router.get("/silences", responses=problem_responses())
async def list_silences(wiring: WiringPart, visibility: VisibilityPart) -> list[SilenceView]:
    """Return the silences of your tenant that have not ended; with the scope `operator` those of all."""
    return [SilenceView(**asdict(one)) for one in await asyncio.to_thread(wiring.alert_triage.silences, visibility)]


@router.post("/silences", responses=problem_responses(InvalidInput, PersonalDataFound))
async def add_silence(
    request: Annotated[SilenceRequest, Body()], wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> SilenceView:
    """Suppress the notifications of matching alerts of your tenant for a time. They are still recorded and reported.

    With the scope `operator` it applies to the alerts of all tenants, and to those about parts of the system.
    """
    for field, text in (("reason", request.reason), ("token_id", request.token_id), ("entity", request.entity)):
        await wiring.screener.refuse_findings(field, text or "")
    now = datetime.now(UTC)
    end = now + timedelta(hours=request.hours)
    matching = (request.type, request.token_id, request.entity)
    silence = Silence(*matching, caller.name, request.reason, now, end, tenant=visibility.owner)
    silence_id = await asyncio.to_thread(wiring.alert_triage.silence, silence)
    return SilenceView(**(asdict(silence) | {"id": silence_id}))


async def _change(
    wiring: ClientWiring, caller: Caller, visibility: Visibility, alert_id: str, *, state: str, note: TriageNote
) -> AlertDetail:
    await wiring.screener.refuse_findings("reason", note.reason or "")
    await asyncio.to_thread(wiring.alert_archive.get, alert_id, visibility)
    await asyncio.to_thread(wiring.alert_triage.change, alert_id, state, caller.name, note.reason)
    return await asyncio.to_thread(_detail, alert_id, wiring, visibility)


def _detail(alert_id: str, wiring: ClientWiring, visibility: Visibility) -> AlertDetail:
    alert, group = wiring.alert_archive.get(alert_id, visibility), wiring.alert_triage.group_of(alert_id)
    view = None if group is None else GroupView(**asdict(group))
    return AlertDetail(**AlertView.model_validate(alert).model_dump(exclude={"time"}), time=alert.time, group=view)
