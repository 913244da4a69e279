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
    detail: str = Field(examples=["The processor failed on this input."])


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
    "TaskFailed": "The processor failed on this input.",
    "TaskInterrupted": "The processor was interrupted; a retry may succeed.",
    "TimeLimitExceeded": "The task exceeded its time limit.",
    "WorkerLost": "Every worker that ran this task exited before it finished.",
    "DataTooLarge": "The input exceeds the size limit of this processor.",
    "NotJson": "The input is not valid JSON.",
    "PointerLeadsNowhere": "The JSON pointer refers to no value.",
    "ForwardForbidden": "Data may not be forwarded to this address.",
    "ForwardRefused": "The receiver rejected the data; a retry would not succeed.",
    "AnswerTooLarge": "The response of the receiver exceeds the size limit.",
    "ResultNotText": "The result of the processor is not text.",
    "ResultRefused": "The policy blocks the result. The alerts name what was found in it.",
    "ResultTooLarge": "The result exceeds the size limit.",
    "MessageRefused": "The message from the queue does not match the task.",
}


def describe_error(kind: str | None) -> TaskError | None:
    """Return what a caller is told of an error of that kind."""
    return None if kind is None else TaskError(kind=kind, detail=ERROR_DETAILS.get(kind, "The task failed."))
