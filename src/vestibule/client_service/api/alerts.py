"""The routes of alerts: reading them, and saying what is done about them."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from vestibule.alerts import Alert, AlertArchive, AlertType
from vestibule.alerts.store.triage import AlertTriage, Silence
from vestibule.client_service.api.schemas import AlertList, AlertView
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.contracts.errors import AlertNotFound, InvalidInput, PersonalDataFound
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute, tags=["alerts"])

REFUSED = (InvalidInput, PersonalDataFound)


class TriageNote(BaseModel):
    """Why something is done about an alert."""

    reason: str | None = Field(
        default=None,
        max_length=500,
        description="It is checked as every text that is kept",
        examples=["ticket 4711: a test of our own"],
    )


class SilenceRequest(BaseModel):
    """What is not to be told for how long, and why. What is left out matches all."""

    type: AlertType | None = None
    token_id: str | None = Field(default=None, max_length=64)
    entity: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,63}$", examples=["EMAIL_ADDRESS"])
    reason: str = Field(min_length=1, max_length=500, description="It is checked as every text that is kept")
    hours: float = Field(gt=0, le=24 * 365, description="Hours until it ends", examples=[2])


class SilenceView(BaseModel):
    """A silence."""

    id: str
    type: str | None = Field(examples=["PersonalData"])
    token_id: str | None
    entity: str | None = Field(examples=["EMAIL_ADDRESS"])
    author: str = Field(description="The name of the token that asked for it")
    reason: str
    start: datetime
    end: datetime


class DeliveryView(BaseModel):
    """How far a notification has come, and why it has not come further."""

    channel: str = Field(examples=["webhook"])
    event: str = Field(examples=["raised"])
    state: str = Field(
        description="`waiting`, `done`, `given_up` or `merged`: told with another group", examples=["done"]
    )
    attempts: int
    error: str | None = Field(examples=["no answer"])


class GroupView(BaseModel):
    """The group that an alert is in, and what was done about it."""

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
    """An alert with its group; null in the moment before it has one."""

    group: GroupView | None


async def _archive(request: Request) -> AlertArchive:
    return wiring_of(request, ClientWiring).alert_archive


async def _triage(request: Request) -> AlertTriage:
    return wiring_of(request, ClientWiring).alert_triage


AlertId = Annotated[str, Path(description="As a refusal, a report or the list of alerts names it")]
Archive = Annotated[AlertArchive, Depends(_archive)]
Triage = Annotated[AlertTriage, Depends(_triage)]


@router.get("/alerts", dependencies=[allow("alerts")], responses=problem_responses(422))
async def alerts(
    archive: Archive,
    limit: Annotated[int, Query(ge=1, le=500, description="Alerts a page")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="From the page before")] = None,
) -> AlertList:
    """Return the alerts that were raised, newest first, a page at a time."""
    page = await asyncio.to_thread(archive.page, limit=limit, cursor=cursor)
    return AlertList(alerts=[AlertView(**_fields(alert)) for alert in page.alerts], cursor=page.cursor)


@router.get("/alerts/{alert_id}", dependencies=[allow("alerts")], responses=problem_responses(AlertNotFound))
async def alert(alert_id: AlertId, archive: Archive, triage: Triage) -> AlertDetail:
    """Return one alert, with its group and the notifications that were sent of it."""
    return await asyncio.to_thread(_detail, alert_id, archive, triage)


@router.post(
    "/alerts/{alert_id}/ack", dependencies=[allow("alerts")], responses=problem_responses(AlertNotFound, *REFUSED)
)
async def acknowledge(request: Request, alert_id: AlertId, note: Annotated[TriageNote, Body()]) -> AlertDetail:
    """Say that somebody looks after the group of an alert: no more reminders of it."""
    return await _change(request, alert_id, "acknowledged", note)


@router.post(
    "/alerts/{alert_id}/resolve", dependencies=[allow("alerts")], responses=problem_responses(AlertNotFound, *REFUSED)
)
async def resolve(request: Request, alert_id: AlertId, note: Annotated[TriageNote, Body()]) -> AlertDetail:
    """Say that the group of an alert is over; what comes after it is a new group."""
    return await _change(request, alert_id, "resolved", note)


@router.get("/silences", dependencies=[allow("alerts")], responses=problem_responses())
async def silences(triage: Triage) -> list[SilenceView]:
    """Return the silences that have not ended."""
    return [SilenceView(**asdict(one)) for one in await asyncio.to_thread(triage.silences)]


@router.post("/silences", dependencies=[allow("alerts")], responses=problem_responses(*REFUSED))
async def silence(request: Request, wanted: Annotated[SilenceRequest, Body()], triage: Triage) -> SilenceView:
    """Have no notifications sent of what matches, for a time. It is recorded and reported all the same."""
    await _check(request, wanted.reason)
    now = datetime.now(UTC)
    made = Silence(
        wanted.type,
        wanted.token_id,
        wanted.entity,
        _author(request),
        wanted.reason,
        now,
        now + timedelta(hours=wanted.hours),
    )
    silence_id = await asyncio.to_thread(triage.silence, made)
    return SilenceView(**(asdict(made) | {"id": silence_id}))


async def _change(request: Request, alert_id: AlertId, state: str, note: TriageNote) -> AlertDetail:
    await _check(request, note.reason or "")
    archive, triage = await _archive(request), await _triage(request)
    await asyncio.to_thread(triage.change, alert_id, state, _author(request), note.reason)
    return await asyncio.to_thread(_detail, alert_id, archive, triage)


async def _check(request: Request, reason: str) -> None:
    await wiring_of(request, ClientWiring).screener.refuse_findings("reason", reason)


def _author(request: Request) -> str:
    return str(request.state.caller.name)


def _detail(alert_id: AlertId, archive: AlertArchive, triage: AlertTriage) -> AlertDetail:
    found, group = archive.get(alert_id), triage.group_of(alert_id)
    return AlertDetail(**_fields(found), group=None if group is None else GroupView(**asdict(group)))


def _fields(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "time": alert.time.isoformat(),
        "type": alert.type,
        "severity": alert.severity,
        "description": alert.description,
        "service": alert.service,
        "entities": list(alert.entities),
        "fingerprint": alert.fingerprint,
        "request_id": alert.request_id,
        "token_id": alert.token_id,
        "subject": alert.subject,
        "count": alert.count,
    }
