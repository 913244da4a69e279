"""What a caller is told of a task."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class TaskState(StrEnum):
    """How far a task has come."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def is_end(self) -> bool:
        """Say whether nothing more will happen to a task in this state, unless a person asks for it."""
        return self not in UNFINISHED


UNFINISHED = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING})


class Priority(StrEnum):
    """Which tasks a free worker takes first: all of a higher priority before any of a lower one."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TaskError(BaseModel):
    """Why a task failed, without a word of its data."""

    kind: str = Field(examples=["TaskFailed"])
    detail: str = Field(examples=["The processor failed on this data."])


class TaskStatus(BaseModel):
    """What is known of a task."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    state: TaskState = Field(examples=[TaskState.SUCCEEDED])
    processor: str = Field(examples=["uppercase"])
    priority: Priority = Priority.NORMAL
    result: str | None = Field(default=None, description="Present when it succeeded", examples=["HELLO"])
    error: TaskError | None = Field(default=None, description="Why the last attempt failed, where one did")
    attempts: int = Field(default=0, description="Attempts that are known to have failed", examples=[0])
    submitted_at: datetime
    due_at: datetime | None = Field(default=None, description="When it is tried next, where it has to wait until then")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_settling: bool = Field(default=False, exclude=True, description="It is done, and its result not yet in place")

    @property
    def has_ended(self) -> bool:
        """Say whether nothing more will happen to it."""
        return self.state.is_end


class TaskPage(BaseModel):
    """Tasks, newest first and without results, and where the next page starts."""

    tasks: list[TaskStatus]
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


ERROR_DETAILS = {
    "TaskFailed": "The processor failed on this data.",
    "TaskInterrupted": "The processor could not finish; it may at another time.",
    "TimeLimitExceeded": "The task took longer than it may.",
    "WorkerLost": "Every worker that took this task ended before the task did.",
    "DataTooLarge": "The data is longer than this processor takes.",
    "NotJson": "The data is not JSON.",
    "PointerLeadsNowhere": "Nothing stands where the pointer leads.",
    "ForwardForbidden": "The address is none that data may be sent to.",
    "ForwardRefused": "The receiver did not take the data, and would not at another time.",
    "AnswerTooLarge": "The receiver answered more than is read.",
    "ResultNotText": "What the processor made of it is not text.",
    "ResultRefused": "The policy does not let the result out. The alerts say what was found in it.",
    "ResultTooLarge": "The processor made more of it than can be kept.",
    "MessageRefused": "The queue did not give the task back as it was sent.",
}


def describe_error(kind: str | None) -> TaskError | None:
    """Return what a caller is told of an error of that kind."""
    return None if kind is None else TaskError(kind=kind, detail=ERROR_DETAILS.get(kind, "The task could not be done."))
