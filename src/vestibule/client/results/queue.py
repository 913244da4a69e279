"""The queue and the workers."""

from datetime import datetime

from vestibule.client.decoding import Result, result


@result
class Pause(Result):
    """A pause that is in force."""

    since: datetime
    # The name of the token that asked for it
    author: str
    reason: str


@result
class ProcessorState(Result):
    """A processor, and whether its tasks are kept from starting."""

    name: str
    # By its own pause, or by that of the whole queue
    is_paused: bool
    # Its own pause; None if there is none
    pause: Pause | None


@result
class WaitingTasks(Result):
    """How many tasks wait, by priority: in the queue, and in the ledger where they are due and not in the queue."""

    high: int
    normal: int
    low: int


@result
class QueueState(Result):
    """The state of the queue and of its processors."""

    # The pause of the whole queue; None if there is none
    pause: Pause | None
    processors: list[ProcessorState]
    # Tasks that are due and have not started
    waiting: WaitingTasks
    # More tasks wait than were counted
    waiting_is_limited: bool
    # Whether Redis has the pauses, by which workers know them; false while Redis does not answer
    is_with_workers: bool


@result
class PauseChange(Result):
    """A pause or a resumption. It is on disk, and survives a restart of everything."""

    # Null: the whole queue
    processor: str | None
    is_paused: bool
    since: datetime
    author: str
    reason: str
    # False: workers follow as soon as Redis answers
    is_with_workers: bool


@result
class RunningTask(Result):
    """A task that a worker runs."""

    # Null for a task of another tenant, unless you have the scope `operator`
    task_id: str | None
    processor: str
    # Seen running since then; up to a second late
    since: datetime


@result
class Worker(Result):
    """A worker, as it last reported itself; what an older version does not report is null."""

    name: str
    host: str | None
    version: str | None
    # Tasks that it runs at a time
    processes: int | None
    # `alive`, or `missing`: no heartbeat for 15 s
    state: str
    last_beat_at: datetime
    started_at: datetime | None
    # Messages of tasks that it has taken since its start, also those that it did not start
    tasks_taken: int | None
    running: list[RunningTask]


@result
class WorkerList(Result):
    """The workers that have sent a heartbeat within a day and have not shut down since, by name."""

    workers: list[Worker]
