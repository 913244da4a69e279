"""Messages about tasks between the client service and the database service.

Times are Unix seconds. A time that is compared with the clock of the ledger is given in seconds from now (`_in_s`).
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from vestibule.contracts.entries import PRINTABLE, Key
from vestibule.contracts.json_types import Count, Flag, Integer, Seconds, UnixTime, either
from vestibule.contracts.tasks import NO_TERMS, Priority, TaskState, WorkTerms

MAX_TASKS = 1000
# Ids and names; no text column holds a NUL.
Name = Annotated[str, StringConstraints(max_length=512, pattern=PRINTABLE)]


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


class LedgerTask(BaseModel):
    """A task in the ledger."""

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


class ClaimRequest(BaseModel):
    """How many tasks to claim, and for how long."""

    model_config = ConfigDict(extra="forbid")

    limit: Integer = Field(ge=1, le=MAX_TASKS)
    lease_s: Seconds = Field(gt=0)


class LedgerTasks(BaseModel):
    """Tasks in the ledger, and where the next page starts."""

    tasks: list[LedgerTask]
    cursor: str | None = None


class TaskIds(BaseModel):
    """Tasks by their ids."""

    model_config = ConfigDict(extra="forbid")

    task_ids: list[Name] = Field(min_length=1, max_length=MAX_TASKS)


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
    attempts: Count | None = None
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

    def as_too_large(self) -> Self:
        """Return the change to the end of a task whose result fits nowhere."""
        ending = {"state": TaskState.FAILED, "error": "ResultTooLarge", "result": None, "write_back": None}
        return self.model_copy(update={**ending, "keep_data": True})


class TaskChanges(BaseModel):
    """Changes of tasks; each applies on its own."""

    model_config = ConfigDict(extra="forbid")

    changes: list[TaskChange] = Field(min_length=1, max_length=MAX_TASKS)


class TakenSteps(BaseModel):
    """Whether each change was applied, in the order of the request."""

    taken: list[bool]
