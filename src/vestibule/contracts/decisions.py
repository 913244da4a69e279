"""Decisions of the policy: the record of each, the counts, and what the services exchange about them.

A record has kinds, scores, actions, ids and keyed fingerprints. It has no field for text.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vestibule.contracts.entries import PRINTABLE
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.json_types import Count, Number, Timestamp

# Decisions in one batch: few enough that the writes which share its commit hardly wait.
MAX_BATCH = 200
MAX_IDS = 100
# A record has at most so many findings: the first of each entity and action, and then others in order.
MAX_RECORDED_FINDINGS = 100
# Decisions are removed after `decision_keep_days`; their counts, and how far each file was read, after these days.
COUNTS_KEPT_DAYS = 400
# The longest time between the decision and its record in the database service, while that answers.
SHIPPED_WITHIN_S = 2.0

DECISION_ID_PATTERN = r"^[0-9a-f]{16}$"
# The time in microseconds and the number of a row.
DECISION_CURSOR_PATTERN = r"^[0-9]{1,17}\.[0-9]{1,18}$"
RULE_ID_PATTERN = r"^[0-9a-f]{12}$"
ALLOWANCE_ID_PATTERN = r"^[0-9a-f]{16}$"
ENTITY_PATTERN = r"^[A-Z][A-Z0-9_]{0,99}$"
Text = Annotated[str, StringConstraints(max_length=512, pattern=PRINTABLE)]
Entity = Annotated[str, StringConstraints(pattern=ENTITY_PATTERN)]


class Action(StrEnum):
    """An action on a finding, the strictest first."""

    BLOCK = "block"
    REDACT = "redact"
    HASH = "hash"
    TOKENIZE = "tokenize"
    NUMBER = "number"
    FAKE = "fake"
    MASK = "mask"
    ALERT = "alert"
    IGNORE = "ignore"

    @property
    def changes_text(self) -> bool:
        """Whether the action replaces the finding in the text."""
        return self in REPLACING


REPLACING = frozenset(Action) - {Action.BLOCK, Action.ALERT, Action.IGNORE}
STRICTNESS = {action: place for place, action in enumerate(reversed(Action))}


def strictest(actions: "list[Action]") -> Action:
    """Return the strictest of at least one action."""
    return max(actions, key=STRICTNESS.__getitem__)


class Outcome(StrEnum):
    """The outcome of a request."""

    LET_IN = "let_in"
    BLOCKED = "blocked"


class HitKind(StrEnum):
    """What decisions are counted by, beside their entities: the rule that decided, or the allowance that applied."""

    RULE = "rule"
    ALLOWANCE = "allowance"


class RecordedFinding(BaseModel):
    """A finding as it is recorded: entity, score, action, and the rule that decided."""

    entity: Entity = Field(examples=["EMAIL_ADDRESS"])
    score: Number = Field(ge=0, le=1, examples=[0.95])
    field: Text = Field(description="The part of the request that contains it", examples=["value"])
    action: Action
    would_have: Action | None = Field(default=None, description="In a dry run: the action that would have been taken")
    fingerprint: Text | None = Field(
        default=None, description="Keyed: equal for equal values of a tenant, which cannot be derived from it"
    )
    rule: Text | None = Field(
        default=None, description="Where the rule that decided stood then", examples=["policy.toml, line 12"]
    )
    rule_id: str | None = Field(
        default=None,
        pattern=RULE_ID_PATTERN,
        description="The rule by what it says, the same wherever it stands; as in `GET /policy`",
        examples=["4f0d21c9b7aa"],
    )
    allowance: str | None = Field(
        default=None, pattern=ALLOWANCE_ID_PATTERN, description="The allowance by which the value passed, if any"
    )

    def id_of(self, kind: HitKind) -> str | None:
        """Return the id of the rule that decided, or of the allowance that applied."""
        return self.rule_id if kind is HitKind.RULE else self.allowance


class DecisionRecord(BaseModel):
    """One decision about a request or a result."""

    time: Timestamp
    decision_id: str = Field(pattern=DECISION_ID_PATTERN, examples=["5f3a9c21d0b4e876"])
    request_id: Text | None = None
    token_id: Text | None = None
    token_name: Text | None = Field(default=None, examples=["reports"])
    tenant: Text = DEFAULT_TENANT
    task_id: Text | None = Field(default=None, description="The task that was asked for, or whose result it is about")
    route: Text = Field(examples=["/add"])
    key_prefix: Text | None = Field(
        default=None, description="The longest prefix of the key that a rule names; the key itself is not recorded"
    )
    policy: Text = Field(description="Version of the policy", examples=["3c81d9a07b52"])
    detectors: Text = Field(description="Version of the detectors", examples=["90b1f64c2a7e"])
    outcome: Outcome = Outcome.LET_IN
    action: Action | None = Field(
        default=None, description="The strictest action that was taken; absent if nothing was found"
    )
    alert_id: Text | None = Field(default=None, description="The alert that was raised, if any")
    replica: Text | None = Field(default=None, description="The host whose record has the alert", examples=["host-1"])
    findings: list[RecordedFinding] = Field(default=[], max_length=MAX_RECORDED_FINDINGS)
    omitted: Count = Field(default=0, description="Further findings of the same kinds and actions that are not listed")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        # Lines of earlier revisions do not have them.
        if self.action is None and self.findings:
            self.action = strictest([one.action for one in self.findings])
            self.outcome = Outcome.BLOCKED if self.action is Action.BLOCK else Outcome.LET_IN
        return self

    @property
    def at_us(self) -> int:
        """The time in microseconds since 1970."""
        return to_us(self.time)

    @property
    def entities(self) -> list[str]:
        """The entities that were found, each once."""
        return sorted({one.entity for one in self.findings})

    @property
    def actions(self) -> dict[str, Action]:
        """The strictest action that was taken for each entity."""
        return _by_entity([(one.entity, one.action) for one in self.findings])

    @property
    def withheld(self) -> dict[str, Action] | None:
        """The strictest action that a dry run withheld for each entity; None outside a dry run."""
        withheld = [(one.entity, one.would_have) for one in self.findings if one.would_have is not None]
        return _by_entity(withheld) if withheld else None


class DecisionKind(NamedTuple):
    """What the filters of decisions ask for: by it those are counted whose records are not needed."""

    tenant: str
    route: str
    token_id: str | None
    token_name: str | None
    outcome: Outcome
    action: Action | None
    entities: tuple[str, ...]


class CleanCount(BaseModel):
    """The number of requests of a route without findings, since the last such record."""

    time: Timestamp
    tenant: Text = DEFAULT_TENANT
    route: Text = Field(examples=["/add"])
    clean: Count
    policy: Text = Field(examples=["3c81d9a07b52"])
    detectors: Text = Field(examples=["90b1f64c2a7e"])


class DecisionBatch(BaseModel):
    """The lines of a decision log file between two positions, in bytes. It counts once, however often it is sent."""

    model_config = ConfigDict(extra="forbid")

    file: str = Field(
        pattern=r"^\d{4}-\d{2}-\d{2}-[0-9a-f]{16}$",
        description="Day of the file and digest of its first line",
        examples=["2026-01-31-5f3a9c21d0b4e876"],
    )
    start: Count
    end: Count
    decisions: list[DecisionRecord] = Field(default=[], max_length=MAX_BATCH)
    clean: list[CleanCount] = Field(default=[], max_length=MAX_BATCH)


class FilePosition(BaseModel):
    """How far a decision log file was recorded: the start of the next batch."""

    position: int


class DecisionFiles(BaseModel):
    """Decision log files by name."""

    model_config = ConfigDict(extra="forbid")

    files: list[Text] = Field(max_length=1000, examples=[["2026-01-31-5f3a9c21d0b4e876"]])


class FilePositions(BaseModel):
    """How far each file was recorded; those of which nothing was are absent."""

    positions: dict[str, int] = Field(examples=[{"2026-01-31-5f3a9c21d0b4e876": 4711}])


class DecisionFilter(BaseModel):
    """Which decisions to return; a member that is left out matches all."""

    model_config = ConfigDict(extra="forbid")

    tenant: Text | None = None
    token: Text | None = Field(default=None, description="Id or name of a token")
    route: Text | None = None
    entity: Text | None = None
    action: Action | None = Field(default=None, description="The strictest action that was taken")
    outcome: Outcome | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None

    def matches(self, record: DecisionRecord | DecisionKind) -> bool:
        """Say whether a decision is one of them; times are not compared."""
        return (
            self.tenant in (None, record.tenant)
            and self.token in (None, record.token_id, record.token_name)
            and self.route in (None, record.route)
            and self.action in (None, record.action)
            and self.outcome in (None, record.outcome)
            and (self.entity is None or self.entity in record.entities)
        )


class DecisionPage(BaseModel):
    """Decisions, newest first, and where the next page starts."""

    decisions: list[DecisionRecord]
    cursor: str | None = Field(
        default=None,
        examples=["1767225600000000.4711"],
        description="Pass it as `cursor` for the next page; null on the last page. A page can be shorter than `limit`, "
        "also empty, and not be the last one: rare combinations are searched for a part at a time",
    )


class DecisionIds(BaseModel):
    """Ids of decisions, or of the requests, tasks or alerts that they belong to."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Text] = Field(min_length=1, max_length=MAX_IDS, examples=[["5f3a9c21d0b4e876"]])
    tenant: Text | None = Field(default=None, description="The tenant that they belong to; all if absent")


class FoundDecisions(BaseModel):
    """Decisions, oldest first."""

    decisions: list[DecisionRecord]


class DecisionCount(BaseModel):
    """The decisions of one day about one route."""

    day: str = Field(description="In UTC", examples=["2026-01-31"])
    route: str = Field(examples=["/add"])
    clean: int = Field(description="Decisions without findings")
    actions: dict[str, int] = Field(
        description="Decisions with findings, by the strictest action", examples=[{"block": 2, "redact": 40}]
    )
    entities: dict[str, dict[str, int]] = Field(
        description="Decisions in which the entity was found, by the action on it; one with two entities is in both",
        examples=[{"EMAIL_ADDRESS": {"redact": 40}, "CREDIT_CARD": {"block": 2}}],
    )


class DecisionCounts(BaseModel):
    """Counts of decisions, oldest day first. They are kept longer than the decisions."""

    counts: list[DecisionCount]


class RateMinute(BaseModel):
    """The decisions of one minute."""

    at: Timestamp = Field(description="When the minute began, in UTC", examples=["2026-01-31T12:00:00Z"])
    clean: int = Field(description="Decisions without findings")
    actions: dict[Action, int] = Field(
        description="Decisions with findings, by the strictest action; those with none are absent",
        examples=[{"block": 2, "redact": 40}],
    )


class DecisionRates(BaseModel):
    """Counts of decisions by minute, oldest first, without a gap; the last minute is not over."""

    minutes: list[RateMinute]


class HitCounts(BaseModel):
    """In how many decisions each rule decided, or each allowance applied; those with none are absent."""

    hits: dict[str, int] = Field(examples=[{"4f0d21c9b7aa": 12}])


def to_us(moment: datetime) -> int:
    """Return the microseconds since 1970."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def day_of(moment: datetime) -> str:
    """Return the day in UTC."""
    return moment.astimezone(UTC).date().isoformat()


def _by_entity(actions: "list[tuple[str, Action]]") -> dict[str, Action]:
    found: dict[str, list[Action]] = {}
    for entity, action in actions:
        found.setdefault(entity, []).append(action)
    return {entity: strictest(taken) for entity, taken in sorted(found.items())}
