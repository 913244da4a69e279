"""The routes of silences: add, list, get, change and end them."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vestibule.alerts import AlertType
from vestibule.alerts.store.silences import Silence
from vestibule.client_service.api.alert_groups import ENTITY_PATTERN, ID_PATTERN
from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, SilenceNotFound
from vestibule.contracts.identity import SENDER_PATTERN
from vestibule.contracts.json_types import Flag, Number, Timestamp, any_of, either
from vestibule.contracts.reasons import GivenReason, Reason
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["alerts"], dependencies=[allow("alerts")])

SHORTEST_H, LONGEST_H = 0.01, 24 * 365
Hours = Annotated[Number, Field(ge=SHORTEST_H, le=LONGEST_H)]
SilenceId = Annotated[str, Path(pattern=ID_PATTERN, description="The id of a silence", examples=["9a76fd8275cf19f0"])]


MATCHERS = ("type", "token_id", "entity")
FOR_ALL_OR_MATCHING: list[Any] = [
    {"required": ["all"], "properties": {"all": {"const": True}, **{name: {"type": "null"} for name in MATCHERS}}},
    {"properties": {"all": {"const": False}}, **any_of(*MATCHERS)},
]


class SilenceRequest(BaseModel):
    """Which notifications to suppress, for how long, and why. A member that is left out matches everything."""

    # A misspelt member would be left out, and the silence hold back more than was meant.
    model_config = ConfigDict(extra="forbid", json_schema_extra={"allOf": [{"oneOf": FOR_ALL_OR_MATCHING}]})

    type: AlertType | None = None
    token_id: str | None = Field(default=None, pattern=f"^{SENDER_PATTERN}$")
    entity: str | None = Field(default=None, pattern=ENTITY_PATTERN, examples=["EMAIL_ADDRESS"])
    is_for_all: Flag = Field(
        default=False,
        alias="all",
        description="True, and none of the three, for all alerts",
        examples=[False],
    )
    reason: GivenReason
    hours: Hours = Field(description="Hours until it ends", examples=[2])

    @model_validator(mode="after")
    def _check_matchers(self) -> Self:
        if self.is_for_all == any((self.type, self.token_id, self.entity)):
            raise ValueError("must have `type`, `token_id` or `entity`, or else `all`: true")
        return self


class SilenceChange(BaseModel):
    """When a silence ends instead: so many hours from now, or at a time; and why."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=either("hours", "end"))

    hours: Hours | None = Field(default=None, description="Hours from now until it ends", examples=[2])
    end: Timestamp | None = Field(default=None, description="When it ends, with a time zone")
    reason: Reason | None = Field(default=None, examples=["the work takes longer"])

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.hours is None) == (self.end is None):
            raise ValueError("must have either `hours` or `end`")
        return self


class SilenceView(BaseModel):
    """A silence, and how much it held back."""

    id: str
    type: str | None = Field(examples=["PersonalData"])
    token_id: str | None
    entity: str | None = Field(examples=["EMAIL_ADDRESS"])
    author: str = Field(description="The name of the token that added it")
    tenant: str = Field(description="The tenant whose alerts it applies to; `~system` for those of all")
    reason: str
    start: datetime
    end: datetime
    alerts: int = Field(description="Alerts that it matched while it was in force")
    notifications: int = Field(description="Notifications of groups that it held back, each event of a group once")
    changed_by: str | None = Field(description="The name of the token that changed its end last", examples=["on-call"])
    changed_reason: str | None = Field(examples=["the work takes longer"])
    changed_at: datetime | None


@router.get("/silences", responses=problem_responses(422))
async def list_silences(
    wiring: WiringPart,
    visibility: VisibilityPart,
    ended: Annotated[bool, Query(description="Whether to list those that have ended, too")] = False,
) -> list[SilenceView]:
    """Return the silences of your tenant that have not ended; with the scope `operator` those of all.

    At most 500, the latest end first.
    """
    found = await asyncio.to_thread(wiring.silences.find_all, visibility, has_ended=ended)
    return [_view(one) for one in found]


@router.post("/silences", status_code=201, responses=problem_responses(InvalidInput, PersonalDataFound))
@audited(Act.SILENCE_ADDED)
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
    silence_id = await asyncio.to_thread(wiring.silences.add, silence)
    note_act(reason=request.reason, target=silence_id)
    return SilenceView(**(asdict(silence) | {"id": silence_id}))


@router.get("/silences/{silence_id}", responses=problem_responses(SilenceNotFound, 422))
async def get_silence(silence_id: SilenceId, wiring: WiringPart, visibility: VisibilityPart) -> SilenceView:
    """Return a silence, also one that has ended."""
    return _view(await asyncio.to_thread(wiring.silences.get, silence_id, visibility))


@router.patch("/silences/{silence_id}", responses=problem_responses(SilenceNotFound, InvalidInput, PersonalDataFound))
@audited(Act.SILENCE_CHANGED)
async def change_silence(
    silence_id: SilenceId,
    change: Annotated[SilenceChange, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
) -> SilenceView:
    """Let a silence that is in force end later or earlier; the silence has the name of the token and the reason."""
    await wiring.screener.refuse_findings("reason", change.reason or "")
    note_act(reason=change.reason)
    now = datetime.now(UTC)
    end = change.end or now + timedelta(hours=change.hours or 0)
    if not now < end <= now + timedelta(hours=LONGEST_H):
        raise InvalidInput(
            "The request is not valid. Check: body/end.",
            errors=[{"where": "body/end", "kind": "value_error", "expected": "a time within the next 365 days"}],
        )
    return _view(
        await asyncio.to_thread(wiring.silences.set_end, silence_id, end, caller.name, change.reason, visibility)
    )


@router.delete("/silences/{silence_id}", responses=problem_responses(SilenceNotFound, 422))
@audited(Act.SILENCE_ENDED)
async def end_silence(
    silence_id: SilenceId, wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> SilenceView:
    """End a silence now. What it held back is sent, and `ended=true` still lists it."""
    return _view(
        await asyncio.to_thread(wiring.silences.set_end, silence_id, datetime.now(UTC), caller.name, None, visibility)
    )


def _view(silence: Silence) -> SilenceView:
    return SilenceView(**asdict(silence))
