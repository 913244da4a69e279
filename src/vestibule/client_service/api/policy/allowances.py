"""The routes of allowances: let a value pass that was found by mistake, list and revoke what passes."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple, Self

from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vestibule.client_service.allowances.allowances import new_allowance_id
from vestibule.client_service.api.alert_groups import ENTITY_PATTERN, ID_PATTERN
from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart
from vestibule.contracts.allowances import FINGERPRINT_PATTERN, LONGEST_H, AllowanceRecord
from vestibule.contracts.audit import Act
from vestibule.contracts.decisions import ALLOWANCE_ID_PATTERN, COUNTS_KEPT_DAYS, Action, HitKind
from vestibule.contracts.errors import (
    AlertNotFound,
    AllowanceNotFound,
    InvalidInput,
    PersonalDataFound,
    TooManyAllowances,
)
from vestibule.contracts.identity import SYSTEM_TENANT, Visibility
from vestibule.contracts.json_types import Flag, Number, Timestamp, either
from vestibule.contracts.reasons import GivenReason
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/allowances", tags=["policy"], dependencies=[allow("allowances")])

SHORTEST_H = 0.01
AllowanceId = Annotated[
    str, Path(pattern=ALLOWANCE_ID_PATTERN, description="The id of an allowance", examples=["9a76fd8275cf19f0"])
]


class AllowanceRequest(BaseModel):
    """Which value may pass, until when, and why: that of an alert, or one by fingerprint and entity."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"allOf": [either("alert_id", "fingerprint"), either("hours", "until")]}
    )

    alert_id: str | None = Field(
        default=None,
        pattern=ID_PATTERN,
        description="The alert that it raised by mistake. `entity` says which finding is meant if it has several",
    )
    fingerprint: str | None = Field(
        default=None,
        pattern=FINGERPRINT_PATTERN,
        description="The fingerprint in an alert or a decision of your tenant; needs `entity`",
        examples=["e692:ac6ac54536234054e0ed3e0b049212e7"],
    )
    entity: str | None = Field(
        default=None, pattern=ENTITY_PATTERN, description="What it was found as", examples=["EMAIL_ADDRESS"]
    )
    reason: GivenReason
    hours: Annotated[
        Number | None, Field(ge=SHORTEST_H, le=LONGEST_H, description="Hours until it ends", examples=[24])
    ] = None
    until: Timestamp | None = Field(default=None, description="When it ends, within a year; with a time zone")
    secret: Flag = Field(default=False, description="True to let a secret pass, which needs to be said")

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.alert_id is None) == (self.fingerprint is None):
            raise ValueError("must have either `alert_id` or `fingerprint`")
        if self.fingerprint is not None and self.entity is None:
            raise ValueError("must have `entity` with `fingerprint`")
        if (self.hours is None) == (self.until is None):
            raise ValueError("must have either `hours` or `until`")
        return self


class AllowanceView(BaseModel):
    """An allowance. It holds keyed fingerprints, from which no value can be derived."""

    id: str
    tenant: str
    entity: str = Field(examples=["EMAIL_ADDRESS"])
    fingerprints: list[str] = Field(examples=[["e692:ac6ac54536234054e0ed3e0b049212e7"]])
    alert_id: str | None
    reason: str
    author: str = Field(description="The name of the token that added it")
    token_id: str = Field(description="The id of that token")
    start: datetime
    end: datetime
    revoked_by: str | None = Field(description="The name of the token that revoked it", examples=["operations"])
    hits: int = Field(description="Decisions in which it let the value pass", examples=[3])


class _Target(NamedTuple):
    tenant: str
    entity: str
    fingerprints: list[str]


@router.get("", responses=problem_responses(422, 503))
async def list_allowances(
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
    ended: Annotated[bool, Query(description="Whether to list those that have ended, too")] = False,
) -> list[AllowanceView]:
    """Return the allowances of your tenant in force, the latest end first; with the scope `operator` those of all.

    Those that have ended or were revoked are kept for 30 days. Hits arrive within two seconds of the decision.
    """
    found = await wiring.allowances.find_all(visibility, has_ended=ended)
    hits = await _hits(wiring, caller, visibility) if found else {}
    return [_view(one, hits.get(one.id, 0)) for one in found]


@router.post(
    "",
    status_code=201,
    responses=problem_responses(AlertNotFound, InvalidInput, PersonalDataFound, TooManyAllowances, 503),
)
@audited(Act.ALLOWANCE_ADDED)
async def add_allowance(
    request: Annotated[AllowanceRequest, Body()], wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> AllowanceView:
    """Let a value pass that was found by mistake: its findings of this entity in this tenant get the action `ignore`.

    It is in force in every replica and worker within two seconds, whatever the spelling of the value, until its end or
    until it is revoked. Of an alert with several values of the entity all pass.
    """
    await wiring.screener.refuse_findings("reason", request.reason)
    note_act(reason=request.reason)
    now = datetime.now(UTC)
    end = request.until or now + timedelta(hours=request.hours or 0)
    if not now < end <= now + timedelta(hours=LONGEST_H):
        raise _mistake("until", "a time within the next 366 days")
    target = await _target_of(request, wiring, caller, visibility)
    if target.entity in wiring.screener.secrets and not request.secret:
        raise _mistake("secret", "true, to let a secret pass")
    record = AllowanceRecord(
        id=new_allowance_id(),
        tenant=target.tenant,
        entity=target.entity,
        fingerprints=target.fingerprints,
        end=end.timestamp(),
        author=caller.name,
        token_id=caller.token_id,
        reason=request.reason,
        start=now.timestamp(),
        alert_id=request.alert_id,
    )
    await wiring.allowances.add(record)
    return _view(record, 0)


@router.delete("/{allowance_id}", responses=problem_responses(AllowanceNotFound, 422, 503))
@audited(Act.ALLOWANCE_REVOKED)
async def revoke_allowance(
    allowance_id: AllowanceId, wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> AllowanceView:
    """Revoke an allowance: within two seconds the policy applies to the value again, everywhere."""
    record = await wiring.allowances.revoke(allowance_id, visibility, caller.name)
    return _view(record, (await _hits(wiring, caller, visibility)).get(record.id, 0))


async def _target_of(
    request: AllowanceRequest, wiring: ClientWiring, caller: Caller, visibility: Visibility
) -> _Target:
    if request.alert_id is not None:
        return await _target_of_alert(request.alert_id, request.entity, wiring, caller, visibility)
    entity = request.entity or ""
    if entity not in wiring.drafts.vocabulary.entities:
        raise _mistake("entity", "a known entity; `vestibule detectors` lists them")
    return _Target(caller.tenant, entity, [request.fingerprint or ""])


async def _target_of_alert(
    alert_id: str, entity: str | None, wiring: ClientWiring, caller: Caller, visibility: Visibility
) -> _Target:
    """Return the tenant, entity and values of an alert: by its decision, or as this replica has recorded it."""
    tenant, values = await _values_of(alert_id, wiring, caller, visibility)
    entities = sorted({found for found, _ in values})
    if entity is None and len(entities) > 1:
        raise _mistake("entity", f"one of {', '.join(entities)}")
    chosen = entity or entities[0]
    fingerprints = sorted({fingerprint for found, fingerprint in values if found == chosen})
    if not fingerprints:
        raise _mistake("entity", f"one of {', '.join(entities)}")
    return _Target(tenant, chosen, fingerprints)


async def _values_of(
    alert_id: str, wiring: ClientWiring, caller: Caller, visibility: Visibility
) -> tuple[str, list[tuple[str, str]]]:
    """Return the tenant of an alert, and the entity and fingerprint of each value that raised it."""
    found = await wiring.decisions.find([alert_id], None if visibility.tenants is None else caller.tenant)
    for record in found:
        if record.alert_id == alert_id:
            acted = [one for one in record.findings if one.action is not Action.IGNORE]
            return record.tenant, [(one.entity, one.fingerprint) for one in acted if one.fingerprint]
    alert = await asyncio.to_thread(wiring.alert_archive.get, alert_id, visibility)
    if alert.fingerprint is None or len(alert.entities) != 1 or alert.tenant == SYSTEM_TENANT:
        raise _mistake("alert_id", "an alert about one value; else send `fingerprint` and `entity` of a decision")
    return alert.tenant, [(alert.entities[0], alert.fingerprint)]


async def _hits(wiring: ClientWiring, caller: Caller, visibility: Visibility) -> dict[str, int]:
    last: date = datetime.now(UTC).date()
    tenant = None if visibility.tenants is None else caller.tenant
    return await wiring.decisions.hits(HitKind.ALLOWANCE, last - timedelta(days=COUNTS_KEPT_DAYS), last, tenant)


def _view(record: AllowanceRecord, hits: int) -> AllowanceView:
    times = {"start": datetime.fromtimestamp(record.start, UTC), "end": datetime.fromtimestamp(record.end, UTC)}
    return AllowanceView(**(record.model_dump() | times | {"hits": hits}))


def _mistake(field: str, expected: str) -> InvalidInput:
    mistake = {"where": f"body/{field}", "kind": "value_error", "expected": expected}
    return InvalidInput(f"The request is not valid. Check: body/{field}.", errors=[mistake])
