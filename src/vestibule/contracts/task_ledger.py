"""Messages about tasks between the client service and the database service.

Times are Unix seconds. A time that is compared with the clock of the ledger is given in seconds from now (`_in_s`).
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vestibule.contracts.entries import PRINTABLE, Key, TtlSeconds
from vestibule.contracts.json_types import Count, Flag, Integer, Seconds, UnixTime, either
from vestibule.contracts.tasks import (
    CAUSE_PATTERN,
    NO_TERMS,
    TASK_CURSOR_PATTERN,
    Cause,
    Priority,
    TaskState,
    WorkTerms,
    split_error,
)

MAX_TASKS = 1000
# The key of a task has had other digests before the fingerprint key or its epoch changed.
MAX_DIGESTS = 400
# Ids and names; no text column holds a NUL.
Name = Annotated[str, StringConstraints(max_length=512, pattern=PRINTABLE)]


class TaskEventKind(StrEnum):
    """What happened to a task beside its attempts."""

    SCHEDULED = "scheduled"
    RESULT_WRITTEN = "result_written"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    DROPPED = "dropped"


class TaskEvent(BaseModel):
    """Something that happened to a task, and by whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: TaskEventKind
    at: UnixTime
    token_id: Name | None = None
    token_name: Name | None = None
    reference: Name | None = Field(default=None, description="The id of the schedule, or of the request")
    job_id: Name | None = Field(default=None, description="The job that did it")

    @property
    def stored(self) -> tuple[str, float, str | None, str | None, str | None, str | None]:
        """The members in their order."""
        return self.kind.value, self.at, self.token_id, self.token_name, self.reference, self.job_id


class NewTask(BaseModel):
    """A task to record. Its data is given, or is the value under `key`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=either("data", "key"))

    task_id: Name
    tenant: Name
    processor: Name
    priority: Priority = Priority.NORMAL
    data: str | None = None
    key: Key | None = None
    terms: WorkTerms = Field(default=NO_TERMS, description="Encrypted together with the data")
    request_id: Name | None = Field(default=None, description="The request that it comes from")
    token_id: Name | None = Field(default=None, description="The token of its caller")
    token_name: Name | None = None
    key_digest: Name | None = Field(default=None, description="Keyed digest of the key that its data came from")
    event: TaskEvent | None = Field(default=None, description="What it comes from, if not from a request alone")
    submitted_at: UnixTime
    sent_at: UnixTime | None = Field(
        default=None, description="When its message was published to the queue; null: not yet"
    )
    due_in_s: Seconds = Field(description="Seconds until the relay has to check it")
    unique_keys: list[Name] = Field(
        default=[], description="Tasks of one tenant that share a key are the same task; the first wins"
    )
    unique_for_s: Seconds | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check_data(self) -> Self:
        if (self.data is None) == (self.key is None):
            raise ValueError("must have data or a key")
        return self


class NewTasks(BaseModel):
    """Tasks to record; each succeeds or fails on its own."""

    model_config = ConfigDict(extra="forbid")

    tasks: list[NewTask] = Field(min_length=1, max_length=MAX_TASKS)


class Recorded(BaseModel):
    """The outcome of a new task. It is on disk, unless its key was not found."""

    task_id: str = Field(description="The id of the existing task, if it is the same")
    is_new: bool = True
    is_key_unknown: bool = False
    data: str | None = Field(default=None, description="The value under the key, if one was given")


class RecordedTasks(BaseModel):
    """The outcome of new tasks, in the order of the request."""

    tasks: list[Recorded]


class AttemptRecord(BaseModel):
    """An attempt that has ended, with the cause where it failed."""

    model_config = ConfigDict(extra="forbid")

    number: Count | None = Field(
        default=None, description="Counted from 1 and from the last retry by a person; null: the one after the known"
    )
    worker: Name | None = None
    started_at: UnixTime | None = None
    ended_at: UnixTime | None = None
    cause: str | None = Field(default=None, pattern=CAUSE_PATTERN)


class LedgerTask(BaseModel):
    """A task in the ledger; a claim leaves out its request, token, key and attempts."""

    task_id: str
    tenant: str
    processor: str
    priority: Priority
    state: TaskState
    attempts: int
    error: str | None = None
    result: str | None = None
    submitted_at: float
    sent_at: float | None = None
    due_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    has_expired: bool = Field(default=False, description="It ended, and its result has expired")
    is_unreadable: bool = Field(default=False, description="Its result cannot be decrypted, and is left out")
    request_id: str | None = None
    token_id: str | None = None
    token_name: str | None = None
    key_digest: str | None = None
    cause: str | None = Field(default=None, description="The cause of its last failure")
    history: list[AttemptRecord] = Field(default=[], description="The last attempts, numbered over all retries")
    events: list[TaskEvent] = Field(
        default=[], description="What else happened to it; only where it is found by its id"
    )


class ClaimRequest(BaseModel):
    """How many tasks to claim, and for how long.

    With `processors`, tasks that were not sent are claimed only if one of these processes them: the others are paused.
    """

    model_config = ConfigDict(extra="forbid")

    limit: Integer = Field(ge=1, le=MAX_TASKS)
    lease_s: Seconds = Field(gt=0)
    processors: list[Name] | None = Field(default=None, max_length=MAX_TASKS)


class UnsentTasks(BaseModel):
    """How many tasks of a processor and a priority are due and not in the queue."""

    processor: str
    priority: Priority
    tasks: int


class UnsentCounts(BaseModel):
    """How many tasks are due and not in the queue, counted up to a limit."""

    counts: list[UnsentTasks]
    is_limited: bool = Field(default=False, description="There are more than were counted")


class LedgerTasks(BaseModel):
    """Tasks in the ledger, and where the next page starts."""

    tasks: list[LedgerTask]
    cursor: str | None = None


class TaskFilter(BaseModel):
    """Which tasks to list; a member that is left out matches all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Name | None = Field(default=None, description="The tenant that owns them; null: all tenants")
    states: list[TaskState] = []
    processor: Name | None = None
    token_id: Name | None = None
    key_digests: list[Name] | None = Field(
        default=None, min_length=1, max_length=MAX_DIGESTS, description="The digests that a key of this tenant may have"
    )
    cause: Name | None = None
    submitted_before: UnixTime | None = None
    due_before: UnixTime | None = Field(default=None, description="Only tasks that wait for a time before this one")


class TaskQuery(BaseModel):
    """A page of the tasks that match."""

    model_config = ConfigDict(extra="forbid")

    filter: TaskFilter
    limit: Integer = Field(ge=1, le=MAX_TASKS)
    cursor: str | None = Field(default=None, pattern=TASK_CURSOR_PATTERN)


class TaskCount(BaseModel):
    """How many tasks of a tenant and a processor are in a state."""

    tenant: str
    processor: str
    state: TaskState
    tasks: int


class TaskCounts(BaseModel):
    """Counts of tasks; what has no task has no count."""

    counts: list[TaskCount]


class RequestTasks(BaseModel):
    """The ids of the tasks that a request made, the oldest first."""

    task_ids: list[str]


class TaskIds(BaseModel):
    """Tasks by their ids."""

    model_config = ConfigDict(extra="forbid")

    task_ids: list[Name] = Field(min_length=1, max_length=MAX_TASKS)


class FindRequest(TaskIds):
    """Tasks to find by their ids."""

    with_results: Flag = True


class TaskData(BaseModel):
    """Data and terms of tasks by id; tasks without data are left out."""

    data: dict[str, str]
    terms: dict[str, WorkTerms]
    unreadable: list[str] = Field(default=[], description="Tasks whose data cannot be decrypted or is not valid")


class WriteBack(BaseModel):
    """Where the result of a task is written when it succeeds, and on whose behalf."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Key
    tenant: Name
    token_id: Name | None = None
    ttl_s: TtlSeconds | None = None


class TaskChange(BaseModel):
    """A change of a task: the states in which it applies, and the new values. What is null stays as it is.

    With `due_in_s` the task continues, and the relay checks it after that time; without it the task has ended.
    """

    model_config = ConfigDict(extra="forbid")

    task_id: Name
    from_states: list[TaskState]
    tenant: Name | None = Field(default=None, description="If set, a task of another tenant is not changed")
    state: TaskState
    due_in_s: Seconds | None = None
    sent_at: UnixTime | None = Field(
        default=None, description="For a task that continues; null: it has yet to be published"
    )
    attempts: Count | None = Field(default=None, description="Failed attempts; 0 begins to count from the start")
    attempt: AttemptRecord | None = Field(default=None, description="The attempt that has ended")
    event: TaskEvent | None = Field(default=None, description="What happened, beside an attempt")
    error: Name | None = None
    result: str | None = None
    write_back: WriteBack | None = Field(
        default=None, description="Where the result is written once, before the change"
    )
    started_at: UnixTime | None = None
    finished_at: UnixTime | None = None
    keep_data: Flag = Field(default=True, description="Whether the data stays, so that it can be retried after its end")
    keep_result_s: Seconds | None = Field(default=None, description="Seconds from now until its result expires")
    keep_s: Seconds | None = Field(default=None, description="Seconds from now until its record expires")

    @property
    def cause(self) -> str | None:
        """The cause of the error."""
        return None if self.error is None else split_error(self.error)[1]

    def as_too_large(self) -> Self:
        """Return the change to the end of a task whose result fits nowhere."""
        ending = {"state": TaskState.FAILED, "error": "ResultTooLarge", "result": None, "write_back": None}
        attempt = self.attempt and self.attempt.model_copy(update={"cause": Cause.TOO_LARGE})
        return self.model_copy(update={**ending, "attempt": attempt, "keep_data": True})


class TaskChanges(BaseModel):
    """Changes of tasks; each applies on its own."""

    model_config = ConfigDict(extra="forbid")

    changes: list[TaskChange] = Field(min_length=1, max_length=MAX_TASKS)


class TakenSteps(BaseModel):
    """Whether each change was applied, in the order of the request."""

    taken: list[bool]
