"""Decisions, their counts and receipts, and traces."""

from dataclasses import field
from datetime import datetime

from vestibule.client.decoding import Result, result


@result
class RecordedFinding(Result):
    """A finding as it is recorded: entity, score, action, and the rule that decided."""

    entity: str
    score: float
    # The part of the request that contains it
    field: str
    action: str
    # In a dry run: the action that would have been taken
    would_have: str | None = None
    # Keyed: equal for equal values of a tenant, which cannot be derived from it
    fingerprint: str | None = None
    # Where the rule that decided stood then
    rule: str | None = None
    # The rule by what it says, the same wherever it stands; as in `GET /policy`
    rule_id: str | None = None
    # The allowance by which the value passed, if any
    allowance: str | None = None


@result
class Decision(Result):
    """One decision about a request or a result."""

    time: datetime
    decision_id: str
    request_id: str | None = None
    token_id: str | None = None
    token_name: str | None = None
    tenant: str = "default"
    # The task that was asked for, or whose result it is about
    task_id: str | None = None
    route: str
    # The longest prefix of the key that a rule names; the key itself is not recorded
    key_prefix: str | None = None
    # Version of the policy
    policy: str
    # Version of the detectors
    detectors: str
    outcome: str = "let_in"
    # The strictest action that was taken; absent if nothing was found
    action: str | None = None
    # The alert that was raised, if any
    alert_id: str | None = None
    # The host whose record has the alert
    replica: str | None = None
    findings: list[RecordedFinding] = field(default_factory=list)
    # Further findings of the same kinds and actions that are not listed
    omitted: int = 0


@result
class DecisionPage(Result):
    """Decisions, newest first, and where the next page starts."""

    decisions: list[Decision]
    # Pass it as `cursor` for the next page; None on the last page. A page can be shorter than `limit`, also empty,
    # and not be the last one: rare combinations are searched for a part at a time
    cursor: str | None = None


@result
class DecisionCount(Result):
    """The decisions of one day about one route."""

    # In UTC
    day: str
    route: str
    # Decisions without findings
    clean: int
    # Decisions with findings, by the strictest action
    actions: dict[str, int]
    # Decisions in which the entity was found, by the action on it; one with two entities is in both
    entities: dict[str, dict[str, int]]


@result
class DecisionCounts(Result):
    """Counts of decisions, oldest day first. They are kept longer than the decisions."""

    counts: list[DecisionCount]


@result
class RateMinute(Result):
    """The decisions of one minute."""

    # When it began, in UTC
    at: datetime
    # Decisions without findings
    clean: int
    # Decisions with findings, by the strictest action; those with none are absent
    actions: dict[str, int]


@result
class DecisionRates(Result):
    """Counts of decisions by minute, oldest first, without a gap; the last minute is not over."""

    minutes: list[RateMinute]


@result
class Receipt(Result):
    """The signed receipt of a decision."""

    decision_id: str
    # A compact JWS; `vestibule receipt verify` or any JOSE library checks it
    receipt: str


@result
class ReceiptKeys(Result):
    """The public keys of receipts, as a JWK set; the first one signs new receipts."""

    keys: list[dict[str, str]]


@result
class TracedFinding(Result):
    """A finding without its text."""

    entity: str
    score: float
    field: str
    action: str
    # In a dry run: the action that would have been taken
    would_have: str | None = None
    # Where the rule that decided stood then
    rule: str | None = None


@result
class TraceEvent(Result):
    """One event; it has the members that its kind has."""

    at: datetime
    kind: str
    request_id: str | None = None
    # The token of the caller, or of who did it
    token_id: str | None = None
    token_name: str | None = None
    tenant: str | None = None
    route: str | None = None
    outcome: str | None = None
    decision_id: str | None = None
    # The strictest action that was taken
    action: str | None = None
    # The longest prefix of the key that a rule names
    key_prefix: str | None = None
    findings: list[TracedFinding] | None = None
    alert_id: str | None = None
    # The type of an alert
    type: str | None = None
    severity: str | None = None
    entities: list[str] | None = None
    group_id: str | None = None
    # Of a task, a job, a group of alerts, a notification, or a callback (`pending`, `delivered`, `given_up`)
    state: str | None = None
    silence_id: str | None = None
    channel: str | None = None
    # What a notification said
    notice: str | None = None
    # Why a notification was not delivered
    error: str | None = None
    # The host that recorded an alert
    replica: str | None = None
    # Who changed a group: the name of a token, or a service
    by: str | None = None
    task_id: str | None = None
    processor: str | None = None
    # Counted from 1, over all retries
    attempt: int | None = None
    # Attempts to deliver
    attempts: int | None = None
    worker: str | None = None
    # When an attempt began; `at` is its end
    started_at: datetime | None = None
    cause: str | None = None
    schedule_id: str | None = None
    job_id: str | None = None
    # `erasure`, or the action on many tasks
    job: str | None = None


@result
class MissingPart(Result):
    """A part that did not answer, so that events may be missing."""

    part: str
    reason: str


@result
class Trace(Result):
    """A timeline, the oldest event first."""

    id: str
    events: list[TraceEvent]
    # Parts that did not answer; absent where all did
    incomplete: list[MissingPart] | None = None
    # Events that are left out beyond 500; absent where none is
    omitted: int | None = None


@result
class SampledDecisions(Result):
    """So many decisions of the last second or more were left out, because the stream has `at_most`."""

    left_out: int


@result
class MissedDecisions(Result):
    """A gap in a stream: so many decisions were left out, because the listener or the connection was slow."""

    missed: int
