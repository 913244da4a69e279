"""Tasks: the work that processors do, its status as callers see it, and the names of the queue."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from vestibule.contracts.entries import Key
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.json_types import Seconds

DEFAULT_PROCESSOR = "uppercase"
ERROR_DETAILS = {
    "TaskFailed": "The processor failed on this input.",
    "ProcessorExited": "The processor tried to end the process it runs in.",
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


class Cause(StrEnum):
    """Why an attempt at a task failed. Beside these there is `http_<status>`: the status that a receiver answered."""

    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_LOST = "connection_lost"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    REFUSED_BY_GUARD = "refused_by_guard"
    REFUSED_BY_POLICY = "refused_by_policy"
    TOO_LARGE = "too_large"
    INVALID_DATA = "invalid_data"
    INVALID_RESULT = "invalid_result"
    INTERRUPTED = "interrupted"
    TIME_LIMIT = "time_limit"
    WORKER_LOST = "worker_lost"
    MESSAGE_REFUSED = "message_refused"
    PROCESSOR_EXIT = "processor_exit"
    PROCESSOR_ERROR = "processor_error"


CAUSE_PATTERN = f"^({'|'.join(Cause)}|http_[1-5][0-9]{{2}})$"
# The cause of a kind of error, unless the processor knows a more precise one.
CAUSES: Mapping[str, Cause] = {
    "TaskFailed": Cause.PROCESSOR_ERROR,
    "ProcessorExited": Cause.PROCESSOR_EXIT,
    "TaskInterrupted": Cause.INTERRUPTED,
    "TimeLimitExceeded": Cause.TIME_LIMIT,
    "WorkerLost": Cause.WORKER_LOST,
    "DataTooLarge": Cause.TOO_LARGE,
    "NotJson": Cause.INVALID_DATA,
    "PointerLeadsNowhere": Cause.INVALID_DATA,
    "ForwardForbidden": Cause.REFUSED_BY_GUARD,
    "AnswerTooLarge": Cause.TOO_LARGE,
    "ResultNotText": Cause.INVALID_RESULT,
    "ResultRefused": Cause.REFUSED_BY_POLICY,
    "ResultTooLarge": Cause.TOO_LARGE,
    "MessageRefused": Cause.MESSAGE_REFUSED,
}


def join_error(kind: str, cause: str | None) -> str:
    """Return the error of an attempt as it is recorded: the kind, with a cause that is more precise than the kind."""
    is_known = cause is not None and re.fullmatch(CAUSE_PATTERN, cause) is not None
    return f"{kind}:{cause}" if is_known and cause != CAUSES.get(kind) else kind


def split_error(error: str) -> tuple[str, str]:
    """Return the kind and the cause of a recorded error."""
    kind, _, cause = error.partition(":")
    return kind, cause or CAUSES.get(kind, Cause.PROCESSOR_ERROR)


# A number of the ledger, within 64 bits.
TASK_CURSOR_PATTERN = r"^[0-9]{1,18}$"
QUEUE = "celery"
# Celery's name for the hash of the messages that a worker has taken and not acknowledged.
TAKEN = "unacked"
# The header with the Unix time at which a task was sent.
SENT_AT = "sent_at"
# The header with the channel of Redis on which a process of the client service hears the end, with the result.
END_CHANNEL = "end_channel"
# The name of the Celery task that runs a processor.
PROCESS_DATA_TASK = "vestibule.process_data"
# Heartbeats of workers: a sorted set in Redis of names, scored by the Unix time of the last heartbeat.
WORKERS_KEY = "vestibule:workers"
BEAT_INTERVAL_S = 5.0
ALIVE_FOR_S = 3 * BEAT_INTERVAL_S
FORGOTTEN_AFTER_S = 86_400.0


class WorkOrigin(BaseModel):
    """The caller, route and key of the work; the policy decides by these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: str = "/run"
    tenant: str = DEFAULT_TENANT
    token_id: str | None = None
    token_name: str | None = None
    key: str | None = None


class WorkTerms(BaseModel):
    """Options and target of work. Callers chose them, so they are stored and sent encrypted like data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: dict[str, Any] = {}
    write_to: Key | None = Field(default=None, description="Key that the result is written to")
    origin: WorkOrigin = WorkOrigin()
    request_id: str | None = Field(default=None, description="The request that the work comes from, for log and alerts")


# The terms of work without options and target.
NO_TERMS = WorkTerms()


class ProcessRequest(BaseModel):
    """A text to process, the processor and its options."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(examples=["hello"])
    processor: str = Field(default=DEFAULT_PROCESSOR, examples=[DEFAULT_PROCESSOR])
    options: dict[str, Any] = Field(
        default={}, description="Options of the processor: see `GET /processors` of the client service"
    )
    work_id: str | None = Field(default=None, max_length=64, description="The same for every repetition of the work")
    origin: WorkOrigin | None = Field(default=None, description="On whose behalf; accepted from services only")
    time_limit_s: Seconds | None = Field(default=None, gt=0, description="Seconds after which the result is not needed")


class ProcessResponse(BaseModel):
    """The processed text."""

    processed_data: str = Field(examples=["HELLO"])


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
        """Whether the state is final, unless a person retries the task."""
        return self not in UNFINISHED


UNFINISHED = frozenset({TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING})


class Priority(StrEnum):
    """The order in which workers take the tasks of a tenant: all of a higher priority before any of a lower one."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class TaskError(BaseModel):
    """Why a task failed, without its data."""

    kind: str = Field(examples=["TaskFailed"])
    detail: str = Field(examples=["The processor failed on this input."])


class WaitReason(StrEnum):
    """Why a task waits."""

    DUE_LATER = "due_later"
    BEHIND_OTHERS = "behind_others"
    NO_WORKER = "no_worker"
    PAUSED = "paused"
    NOT_PUBLISHED = "not_published"


class Waiting(BaseModel):
    """Why a task that has not started waits."""

    reason: WaitReason = Field(
        description="`due_later`: its time has not come; `paused`: its processor or the whole queue is paused; "
        "`no_worker`: no worker is alive; `not_published`: it is about to be sent to the queue; `behind_others`: it is "
        "in the queue"
    )
    due_at: datetime | None = Field(default=None, description="When its time comes")
    paused_since: datetime | None = Field(default=None, description="Since when it is paused")
    ahead: int | None = Field(
        default=None, description="How many tasks in the queue come first; an estimate", examples=[12]
    )
    is_estimate: bool | None = Field(default=None, description="True with `ahead`")


class TaskAttempt(BaseModel):
    """An attempt that has ended."""

    number: int = Field(description="Counted from 1, over all retries", examples=[1])
    worker: str | None = Field(default=None, examples=["worker1@host"])
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str | None = Field(default=None, description="Why it failed; absent if it succeeded", pattern=CAUSE_PATTERN)


class TaskStatus(BaseModel):
    """The status of a task."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    state: TaskState = Field(examples=[TaskState.SUCCEEDED])
    processor: str = Field(examples=["uppercase"])
    priority: Priority = Priority.NORMAL
    result: str | None = Field(default=None, description="Present if it succeeded", examples=["HELLO"])
    error: TaskError | None = Field(default=None, description="Why the last attempt failed, if one did")
    cause: str | None = Field(
        default=None, description="The cause of that error, such as `timeout` or `http_503`", pattern=CAUSE_PATTERN
    )
    attempts: int = Field(
        default=0, description="Failed attempts since it was accepted, or retried by a person", examples=[0]
    )
    attempt_history: list[TaskAttempt] | None = Field(
        default=None, description="The last 20 attempts that have ended, over all retries; absent in lists"
    )
    request_id: str | None = Field(default=None, description="The request that it comes from")
    token_id: str | None = Field(default=None, description="The token of its caller")
    token_name: str | None = None
    tenant: str | None = Field(default=None, description="Its owner, in lists of all tenants")
    submitted_at: datetime
    due_at: datetime | None = Field(default=None, description="When the next attempt starts, if it waits for that")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    waiting: Waiting | None = Field(
        default=None, description="Why it waits; only where a single task that has not started is read"
    )
    is_settling: bool = Field(
        default=False, exclude=True, description="The processor has finished, and the result is not yet written"
    )

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended."""
        return self.state.is_end


class TaskPage(BaseModel):
    """Tasks, newest first and without results, and where the next page starts."""

    tasks: list[TaskStatus]
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


class TaskTotal(BaseModel):
    """How many tasks of a processor are in a state."""

    processor: str = Field(examples=["uppercase"])
    state: TaskState
    tasks: int
    tenant: str | None = Field(default=None, description="Their owner, in counts of all tenants")


class TaskTotals(BaseModel):
    """How many tasks are in each state."""

    states: dict[TaskState, int] = Field(description="All states, also those of no task")
    counts: list[TaskTotal] = Field(description="By processor and state; what has no task is left out")


class DescribedError(TypedDict):
    """The fields of a status about an error."""

    error: TaskError | None
    cause: str | None


def describe_error(error: str | None) -> DescribedError:
    """Return a recorded error as callers see it."""
    if error is None:
        return {"error": None, "cause": None}
    kind, cause = split_error(error)
    return {"error": TaskError(kind=kind, detail=ERROR_DETAILS.get(kind, "The task failed.")), "cause": cause}


# The number of queues of each priority. Tenants that have tasks waiting are kept in different ones, and take turns.
PARTITIONS = 8
_FIRST = {Priority.HIGH: f"{QUEUE}.high", Priority.NORMAL: QUEUE, Priority.LOW: f"{QUEUE}.low"}
# The queues of each priority by partition; priorities are in the order in which a worker takes tasks.
QUEUES = {
    priority: (name, *(f"{name}.{number}" for number in range(1, PARTITIONS))) for priority, name in _FIRST.items()
}
QUEUES_BY_PARTITION = tuple(zip(*QUEUES.values(), strict=True))
ALL_QUEUES = tuple(queue for queues in QUEUES_BY_PARTITION for queue in queues)
