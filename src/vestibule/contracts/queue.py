"""What the client service, workers and the scheduler share about the queue: pauses, and the records of workers."""

from collections.abc import Mapping

from pydantic import BaseModel, Field

from vestibule.contracts.identity import DEFAULT_TENANT, Principal

# The owner of pauses in the store; no caller has this tenant.
OWNER = Principal("~queue")
PAUSES = "pause/"
# In place of the name of a processor: the whole queue. No processor can have this name.
WHOLE_QUEUE = "*"
# A hash in Redis by which workers know the pauses: names of processors, or `WHOLE_QUEUE`, with a `PauseMark`. It is
# a copy of what the store has, and exists as soon as a client service has read the store.
PAUSED_KEY = "vestibule:paused"
# Records of workers by their names; `vestibule:workers` has the times of their heartbeats.
WORKER_PREFIX = "vestibule:worker:"


class Pause(BaseModel):
    """The last pause or resumption of a processor, or of the whole queue, as the store has it."""

    processor: str | None = Field(default=None, description="None: the whole queue")
    is_paused: bool
    since: float = Field(description="Unix time since when it is paused, or was resumed")
    author: str = Field(description="The name of the token that asked for it")
    token_id: str
    tenant: str = DEFAULT_TENANT
    reason: str

    @property
    def place(self) -> str:
        """The key in the store."""
        return PAUSES + (self.processor or WHOLE_QUEUE)


def mark_of(version: int, *, is_paused: bool) -> str:
    """Return the mark of a pause in Redis: the version of its entry in the store, and whether it is in force."""
    return f"{version}:{int(is_paused)}"


def is_paused_by(mark: bytes | str | None) -> bool:
    """Say whether a mark in Redis pauses its processor."""
    return mark is not None and mark[-1:] in (b"1", "1")


def paused_names(marks: Mapping[bytes, bytes]) -> list[str]:
    """Return what is paused by the hash in Redis, in order: names of processors, and `WHOLE_QUEUE`."""
    return sorted(name.decode() for name, mark in marks.items() if is_paused_by(mark))


class RunningTask(BaseModel):
    """A task that a worker runs."""

    task_id: str
    processor: str
    since: float


class WorkerRecord(BaseModel):
    """What a worker says of itself. It holds nothing that callers sent."""

    name: str
    host: str
    version: str
    processes: int
    started_at: float
    tasks_taken: int = 0
    running: list[RunningTask] = []
    # Ids of tasks that it has and has not started. From RabbitMQ it takes some of each queue.
    reserved: list[str] = []
