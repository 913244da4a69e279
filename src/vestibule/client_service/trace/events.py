"""The events of a timeline. None of them has text that a caller or a person wrote."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from vestibule.contracts.decisions import Action, Outcome

MOST_EVENTS = 500


class TraceKind(StrEnum):
    """What happened. Of events at the same time, the earlier ones of this list come first."""

    REQUEST = "request"
    DECISION = "decision"
    ALERT = "alert"
    ALERT_ELSEWHERE = "alert_elsewhere"
    SILENCED = "silenced"
    NOTIFICATION = "notification"
    GROUP_CHANGED = "group_changed"
    TASK_ACCEPTED = "task_accepted"
    TASK_SCHEDULED = "task_scheduled"
    TASK_SENT = "task_sent"
    TASK_RUNNING = "task_running"
    ATTEMPT = "attempt"
    RESULT_WRITTEN = "result_written"
    TASK_RETRIED = "task_retried"
    TASK_CANCELLED = "task_cancelled"
    TASK_DROPPED = "task_dropped"
    TASK_ENDED = "task_ended"
    CALLBACK = "callback"
    JOB_STARTED = "job_started"
    JOB_FINISHED = "job_finished"


ORDER = {kind: place for place, kind in enumerate(TraceKind)}


class TracedFinding(BaseModel):
    """A finding without its text."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    score: float = Field(examples=[0.95])
    field: str = Field(examples=["value"])
    action: Action
    would_have: Action | None = Field(
        default=None, description="In a dry run: the action that would have been taken", examples=["block"]
    )
    rule: str | None = Field(
        default=None, description="Where the rule that decided stood then", examples=["policy.toml, line 12"]
    )


class TraceEvent(BaseModel):
    """One event; it has the members that its kind has."""

    at: datetime
    kind: TraceKind
    request_id: str | None = None
    token_id: str | None = Field(default=None, description="The token of the caller, or of who did it")
    token_name: str | None = Field(default=None, examples=["orders"])
    tenant: str | None = None
    route: str | None = Field(default=None, examples=["/add"])
    outcome: Outcome | None = None
    decision_id: str | None = None
    action: Action | None = Field(default=None, description="The strictest action that was taken")
    key_prefix: str | None = Field(
        default=None, description="The longest prefix of the key that a rule names", examples=["orders/"]
    )
    findings: list[TracedFinding] | None = None
    alert_id: str | None = None
    type: str | None = Field(default=None, description="The type of an alert", examples=["PersonalData"])
    severity: str | None = Field(default=None, examples=["warning"])
    entities: list[str] | None = None
    group_id: str | None = None
    state: str | None = Field(
        default=None,
        description="Of a task, a job, a group of alerts, a notification, or a callback (`pending`, `delivered`, "
        "`given_up`)",
    )
    silence_id: str | None = None
    channel: str | None = Field(default=None, examples=["webhook"])
    notice: str | None = Field(default=None, description="What a notification said", examples=["raised"])
    error: str | None = Field(default=None, description="Why a notification was not delivered")
    replica: str | None = Field(default=None, description="The host that recorded an alert")
    by: str | None = Field(default=None, description="Who changed a group: the name of a token, or a service")
    task_id: str | None = None
    processor: str | None = Field(default=None, examples=["uppercase"])
    attempt: int | None = Field(default=None, description="Counted from 1, over all retries")
    attempts: int | None = Field(default=None, description="Attempts to deliver")
    worker: str | None = Field(default=None, examples=["worker1@host"])
    started_at: datetime | None = Field(default=None, description="When an attempt began; `at` is its end")
    cause: str | None = Field(default=None, examples=["timeout"])
    schedule_id: str | None = None
    job_id: str | None = None
    job: str | None = Field(default=None, description="`erasure`, or the action on many tasks", examples=["retry"])

    @property
    def place(self) -> tuple[datetime, int]:
        """The place in the order of a timeline."""
        return self.at, ORDER[self.kind]


class MissingPart(BaseModel):
    """A part that did not answer, so that events may be missing."""

    part: str = Field(examples=["database"])
    reason: str


class Trace(BaseModel):
    """A timeline, the oldest event first."""

    id: str
    events: list[TraceEvent]
    incomplete: list[MissingPart] | None = Field(
        default=None, description="Parts that did not answer; absent where all did"
    )
    omitted: int | None = Field(default=None, description="Events that are left out beyond 500; absent where none is")
