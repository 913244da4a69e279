"""The status of a task as callers see it."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class TaskState(StrEnum):
    """The state of a task."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def is_end(self) -> bool:
        """Say whether the state is final, unless a person retries the task."""
        return self not in UNFINISHED


UNFINISHED = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING})


class Priority(StrEnum):
    """The order in which workers take tasks: all of a higher priority before any of a lower one."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TaskError(BaseModel):
    """Why a task failed, without its data."""

    kind: str = Field(examples=["TaskFailed"])
    detail: str = Field(examples=["The processor failed on this input."])


class TaskStatus(BaseModel):
    """The status of a task."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    state: TaskState = Field(examples=[TaskState.SUCCEEDED])
    processor: str = Field(examples=["uppercase"])
    priority: Priority = Priority.NORMAL
    result: str | None = Field(default=None, description="Present if it succeeded", examples=["HELLO"])
    error: TaskError | None = Field(default=None, description="Why the last attempt failed, if one did")
    attempts: int = Field(default=0, description="Failed attempts", examples=[0])
    submitted_at: datetime
    due_at: datetime | None = Field(default=None, description="When the next attempt starts, if it waits for that")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_settling: bool = Field(default=False, exclude=True, description="It is done, and its result is not yet written")

    @property
    def has_ended(self) -> bool:
        """Say whether the task has ended."""
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
    """Return the error of that kind as callers see it."""
    return None if kind is None else TaskError(kind=kind, detail=ERROR_DETAILS.get(kind, "The task failed."))
