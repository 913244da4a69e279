"""The routes of drafts of the policy: check, test and replay them. Nothing of a draft is kept, logged or activated."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, ClientWiring, WiringPart
from vestibule.client_service.policies.replay import RecordedReplay, replay_recorded
from vestibule.contracts.decisions import Action, Entity
from vestibule.contracts.errors import InvalidInput, ScanImpossible, TooLarge, TooManyWaiting
from vestibule.contracts.json_types import AS_INTEGER
from vestibule.policy import Decision, InvalidPolicy, Policy
from vestibule.policy.document import MAX_FILE_BYTES
from vestibule.policy.evaluation import PASS, Comparison, Sample, mismatch_of, outcome_of
from vestibule.policy.policy import KEY_FIELD
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/policy", tags=["policy"], dependencies=[allow("policy")])

TOML = "application/toml"
MAX_SAMPLES, MAX_SAMPLE_CHARS = 200, 100_000
DEFAULT_DAYS, MOST_DAYS = 30, 400
EXAMPLE = '[entities]\nEMAIL_ADDRESS = "redact"\n'

DraftText = Annotated[
    str,
    Field(
        max_length=MAX_FILE_BYTES, description="The draft: what the policy file would be, as TOML", examples=[EXAMPLE]
    ),
]
OptionalDraft = Annotated[DraftText | None, Field(description="The draft; the policy in force if it is left out")]


class DraftRequest(BaseModel):
    """A draft of the policy file."""

    model_config = ConfigDict(extra="forbid")

    policy: DraftText


class DraftMistake(BaseModel):
    """The first mistake of a draft."""

    line: int | None = Field(examples=[2])
    reason: str = Field(examples=["`EMAIL_ADDRESS`: input should be 'block', 'redact', ... or 'ignore'"])


class DraftCheck(BaseModel):
    """Whether a draft is valid, and what it would be."""

    valid: bool
    mistakes: list[DraftMistake] = Field(description="The first mistake, if any")
    version: str | None = Field(default=None, examples=["3c81d9a07b52"])
    rules: int | None = Field(default=None, description="Rules of the draft, with those of the settings beneath it")
    dry_run: bool | None = Field(default=None, examples=[False])
    is_in_force: bool | None = Field(
        default=None, description="Whether it says the same as the policy in force", examples=[False]
    )


class DraftSample(BaseModel):
    """A text, the request that it comes with, and the expected outcome."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=MAX_SAMPLE_CHARS, examples=["write to jane@example.org"])
    expect: Action | Literal["pass"] | dict[Entity, Action] = Field(
        description="The strictest action, `pass` for none, or the action by entity", examples=["redact"]
    )
    key: str | None = Field(default=None, max_length=512)
    route: Literal["/add", "/messages", "/run"] = "/add"
    token: str | None = Field(default=None, max_length=512, description="Name or id of the token")


class SampleRun(BaseModel):
    """Samples, and the draft that decides on them."""

    model_config = ConfigDict(extra="forbid")

    policy: OptionalDraft = None
    samples: list[DraftSample] = Field(min_length=1, max_length=MAX_SAMPLES)


class SampleOutcome(BaseModel):
    """What becomes of a sample."""

    number: int = Field(description="Counted from 1", examples=[1])
    as_expected: bool
    outcome: Action | Literal["pass"] = Field(description="The strictest action, `pass` for none", examples=["redact"])
    actions: dict[str, Action] = Field(examples=[{"EMAIL_ADDRESS": "redact"}])


class SampleRunReply(BaseModel):
    """The outcome of each sample."""

    policy: str = Field(description="The version that decided", examples=["3c81d9a07b52"])
    mismatches: int = Field(examples=[0])
    samples: list[SampleOutcome]


class ReplayRequest(BaseModel):
    """Against how many days of recorded decisions to replay a draft."""

    model_config = ConfigDict(extra="forbid")

    policy: OptionalDraft = None
    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="Recorded decisions of so many days"), AS_INTEGER] = (
        DEFAULT_DAYS
    )


class ActionChange(BaseModel):
    """How many change from one action to another."""

    before: Action = Field(examples=["block"])
    after: Action = Field(examples=["redact"])
    number: int = Field(examples=[3])


class EntityComparison(BaseModel):
    """The actions on an entity side by side: as they were recorded, and as the draft decides."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    findings: int = Field(examples=[12])
    recorded: dict[str, int] = Field(examples=[{"block": 12}])
    replayed: dict[str, int] = Field(examples=[{"block": 9, "redact": 3}])
    changes: list[ActionChange]


class ReplayReply(BaseModel):
    """Recorded decisions, side by side with what the draft decides on them."""

    policy: str = Field(description="The version that decided", examples=["3c81d9a07b52"])
    since: datetime = Field(description="From when on decisions were replayed")
    complete: bool = Field(description="False if there are more since `days` than one replay takes, some 20,000")
    decisions: int = Field(description="Decisions with findings that were replayed", examples=[12])
    changed: int = Field(description="Decisions with a finding whose action changes", examples=[3])
    changes: list[ActionChange] = Field(description="Decisions whose strictest action changes")
    blocked_recorded: int = Field(examples=[12])
    blocked_replayed: int = Field(examples=[9])
    entities: list[EntityComparison]


@router.post(
    "/check",
    responses={200: {"content": {TOML: {"schema": {"type": "string"}}}}, **problem_responses(422, TooManyWaiting)},
    response_model=DraftCheck,
)
async def check_policy(
    request: Annotated[DraftRequest, Body()],
    wiring: WiringPart,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> DraftCheck | Response:
    """Say whether a draft is valid, or where its first mistake is.

    With `Accept: application/toml` a valid draft comes back as the file `policy.toml`, for whoever puts it in place.
    """
    try:
        policy = await wiring.screener.in_thread(partial(wiring.drafts.parse, request.policy))
    except InvalidPolicy as broken:
        return DraftCheck(valid=False, mistakes=[_mistake_of(broken, wiring)])
    if TOML in accept:
        name = wiring.drafts.path.name.encode("ascii", "replace").decode().replace('"', "_")
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
        return Response(request.policy.encode(), media_type=TOML, headers=headers)
    return DraftCheck(
        valid=True,
        mistakes=[],
        version=policy.version,
        rules=len(policy.rules),
        dry_run=policy.is_dry_run,
        is_in_force=policy.version == wiring.policies.current.version,
    )


@router.post("/test", responses=problem_responses(InvalidInput, ScanImpossible, TooLarge, TooManyWaiting))
async def test_policy(request: Annotated[SampleRun, Body()], wiring: WiringPart) -> SampleRunReply:
    """Scan sample texts, and compare what a draft decides on them with what is expected. No sample is kept."""
    policy = await _policy_of(request.policy, wiring)
    outcomes = []
    for number, given in enumerate(request.samples, 1):
        sample = Sample.model_construct(**dict(given))
        texts = {"value": sample.text} if sample.key is None else {"value": sample.text, KEY_FIELD: sample.key}
        findings = await wiring.screener.find(texts, sample.key)
        outcomes.append(_outcome(number, sample, policy.decide(sample.situation, findings)))
    mismatches = sum(not one.as_expected for one in outcomes)
    return SampleRunReply(policy=policy.version, mismatches=mismatches, samples=outcomes)


@router.post("/replay", responses=problem_responses(InvalidInput, TooManyWaiting, 503))
async def replay_policy(
    request: Annotated[ReplayRequest, Body()], wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart
) -> ReplayReply:
    """Decide the recorded decisions of your tenant again by a draft, with the scope `operator` those of all.

    Nothing is scanned again, since no text was kept. What an allowance let pass still passes. The newest decisions come
    first, at most 20,000 of them and for at most 20 seconds; a token has one replay at a time.
    """
    policy = await _policy_of(request.policy, wiring)
    tenant = None if visibility.tenants is None else caller.tenant
    since = datetime.now(UTC) - timedelta(days=request.days)
    async with wiring.replays.of(caller.token_id, MOST_WAITING):
        replayed = await replay_recorded(wiring.decisions.page, policy, tenant, since)
    return _replay_reply(replayed, policy, since)


async def _policy_of(text: str | None, wiring: ClientWiring) -> Policy:
    if text is None:
        return wiring.policies.current
    try:
        return await wiring.screener.in_thread(partial(wiring.drafts.parse, text))
    except InvalidPolicy as broken:
        # The reason may repeat names of the draft, and this goes into problems.
        line = "" if broken.line is None else f", line {broken.line}"
        mistake = {
            "where": "body/policy",
            "kind": "policy",
            "expected": f"a valid draft; `POST /policy/check` says why{line}",
        }
        raise InvalidInput(f"The draft is not valid{line}. Check: body/policy.", errors=[mistake]) from None


def _mistake_of(broken: InvalidPolicy, wiring: ClientWiring) -> DraftMistake:
    """Return the mistake; its reason repeats names of the draft, unless one could be personal data."""
    is_clean = wiring.screener.is_clean(broken.reason)
    return DraftMistake(line=broken.line, reason=broken.reason if is_clean else "personal data or a secret as a name")


def _outcome(number: int, sample: Sample, decision: Decision) -> SampleOutcome:
    return SampleOutcome(
        number=number,
        as_expected=mismatch_of(sample, decision) is None,
        outcome=PASS if (word := outcome_of(decision)) == PASS else Action(word),
        actions=decision.withheld if decision.is_dry_run else decision.actions,
    )


def _replay_reply(replayed: RecordedReplay, policy: Policy, since: datetime) -> ReplayReply:
    result = replayed.result
    return ReplayReply(
        policy=policy.version,
        since=since if replayed.is_complete or replayed.oldest is None else replayed.oldest,
        complete=replayed.is_complete,
        decisions=result.requests,
        changed=result.changed,
        changes=_changes(result.changes),
        blocked_recorded=result.blocked_now,
        blocked_replayed=result.blocked_then,
        entities=[_comparison(entity, one) for entity, one in sorted(result.by_entity.items())],
    )


def _comparison(entity: str, one: Comparison) -> EntityComparison:
    return EntityComparison(
        entity=entity,
        findings=one.findings,
        recorded=dict(one.now),
        replayed=dict(one.then),
        changes=_changes(one.changes),
    )


def _changes(counted: "Counter[tuple[Action, Action]]") -> list[ActionChange]:
    return [
        ActionChange(before=before, after=after, number=number) for (before, after), number in counted.most_common()
    ]
