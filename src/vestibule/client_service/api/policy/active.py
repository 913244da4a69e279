"""The route of the policy in force: its rules, where they stand, and how often each decided."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.contracts.decisions import Action, HitKind
from vestibule.contracts.identity import SYSTEM_TENANT, Visibility
from vestibule.policy import RuleSeverity
from vestibule.policy.rule_index import PolicyRule
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["policy"], dependencies=[allow("policy")])

DAYS_COUNTED = 30
CURSOR_PATTERN = r"^[0-9]{1,6}$"
_LINE = re.compile(r", line ([0-9]+)$")


class RuleView(BaseModel):
    """A rule. What it does not name matches everything; what it does not set comes from wider rules."""

    id: str = Field(description="The same as long as the rule says the same", examples=["4f0d21c9b7aa"])
    origin: str = Field(description="Where it stands", examples=["policy.toml, line 12"])
    line: int | None = Field(description="In the policy file; null for settings and defaults", examples=[12])
    entity: str | None = Field(description="An entity or a group", examples=["EMAIL_ADDRESS"])
    token: str | None = Field(examples=["reports"])
    key_prefix: str | None = Field(examples=["tickets/"])
    route: str | None = Field(examples=["/add"])
    field: str | None = Field(description="A field of a request, such as one of a form", examples=["email"])
    action: Action | None
    threshold: float | None = Field(examples=[0.5])
    severity: RuleSeverity | None
    hits: int = Field(description="Decisions of the last 30 days in which it decided on a finding", examples=[12])


class RetentionView(BaseModel):
    """A rule about how long entries are kept."""

    origin: str = Field(description="Where it stands", examples=["policy.toml, line 30"])
    applies_to: str = Field(examples=["keys tickets/*"])
    default_ttl_s: float | None = Field(default=None, examples=[86_400])
    max_ttl_s: float | None = Field(default=None, examples=[604_800])


class PolicyView(BaseModel):
    """The policy in force."""

    version: str = Field(examples=["3c81d9a07b52"])
    since: datetime | None = Field(description="Since when it is in force in the service that answers")
    file: str | None = Field(description="Null if there is no policy file", examples=["policy.toml"])
    dry_run: bool
    keep_clean: bool
    rules: list[RuleView] = Field(
        description="Those that overrule others stand before them: the narrowest first, settings and defaults last"
    )
    hidden_rules: int = Field(description="Rules about tokens that may belong to other tenants")
    retention: list[RetentionView]
    cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last page")


@router.get("/policy", responses=problem_responses(422, 503))
async def get_policy(
    wiring: WiringPart,
    caller: CallerPart,
    visibility: VisibilityPart,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rules per page")] = 500,
    cursor: Annotated[
        str | None, Query(pattern=CURSOR_PATTERN, description="The `cursor` of the previous page", examples=["500"])
    ] = None,
) -> PolicyView:
    """Return the policy in force, with its rules in the order of precedence and their hits of the last 30 days.

    Hits are those of decisions of your tenant, with the scope `operator` those of all. The policy changes with its file
    alone; `POST /policy/check`, `/policy/test` and `/policy/replay` try a draft of it.
    """
    policy, today = wiring.policies.current, datetime.now(UTC).date()
    tenant = None if visibility.tenants is None else caller.tenant
    hits = await wiring.decisions.hits(HitKind.RULE, today - timedelta(days=DAYS_COUNTED), today, tenant)
    rules = sorted((rule for rule in policy.rules if _is_shown(rule, caller, visibility)), key=_precedence)
    first = int(cursor or 0)
    return PolicyView(
        version=policy.version,
        since=wiring.policy_since.of(policy.version),
        file=None if policy.path is None else policy.path.name,
        dry_run=policy.is_dry_run,
        keep_clean=policy.keeps_clean,
        rules=[_view(rule, hits.get(rule.id, 0)) for rule in rules[first : first + limit]],
        hidden_rules=len(policy.rules) - len(rules),
        retention=[
            RetentionView(origin=rule.origin, applies_to=rule.describe(), **rule.terms())
            for rule in policy.retention_rules
        ],
        cursor=str(first + limit) if first + limit < len(rules) else None,
    )


def _precedence(rule: PolicyRule) -> tuple[int, ...]:
    return rule.precedence


def _is_shown(rule: PolicyRule, caller: Caller, visibility: Visibility) -> bool:
    """Say whether a rule names no token of another tenant: who does not see all sees those of no token and its own."""
    return visibility.covers(SYSTEM_TENANT) or rule.scope.token in (None, caller.token_id, caller.name)


def _view(rule: PolicyRule, hits: int) -> RuleView:
    scope, line = rule.scope, _LINE.search(rule.origin)
    return RuleView(
        id=rule.id,
        origin=rule.origin,
        line=None if line is None else int(line[1]),
        entity=scope.entity or scope.group,
        token=scope.token,
        key_prefix=scope.key_prefix,
        route=scope.route,
        field=scope.field,
        action=rule.action,
        threshold=rule.threshold,
        severity=rule.severity,
        hits=hits,
    )
