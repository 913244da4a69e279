"""Tasks, messages and processors."""

from dataclasses import field
from datetime import datetime
from typing import Any

from vestibule.client.decoding import Result, result
from vestibule.client.results.findings import TreatedFinding

UNFINISHED = frozenset({"queued", "running", "retrying"})


@result
class AcceptedTask(Result):
    """A task that was accepted and runs in the background."""

    task_id: str
    status_url: str


@result
class TaskError(Result):
    """Why a task failed, without its data."""

    kind: str
    detail: str


@result
class TaskAttempt(Result):
    """An attempt that has ended."""

    # Counted from 1, over all retries
    number: int
    worker: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    # Why it failed; absent if it succeeded
    cause: str | None = None


@result
class Waiting(Result):
    """Why a task that has not started waits."""

    # `due_later`: its time has not come; `paused`: its processor or the whole queue is paused; `no_worker`: no
    # worker is alive; `not_published`: it is about to be sent to the queue; `behind_others`: it is in the queue
    reason: str
    # When its time comes
    due_at: datetime | None = None
    # Since when it is paused
    paused_since: datetime | None = None
    # How many tasks in the queue come first; an estimate
    ahead: int | None = None
    # True with `ahead`
    is_estimate: bool | None = None


@result
class Task(Result):
    """The status of a task."""

    task_id: str
    state: str
    processor: str
    priority: str = "normal"
    # Present if it succeeded
    result: str | None = field(default=None, repr=False)
    # Why the last attempt failed, if one did
    error: TaskError | None = None
    # The cause of that error, such as `timeout` or `http_503`
    cause: str | None = None
    # Failed attempts since it was accepted, or retried by a person
    attempts: int = 0
    # The last 20 attempts that have ended, over all retries; absent in lists
    attempt_history: list[TaskAttempt] | None = None
    # The request that it comes from
    request_id: str | None = None
    # The token of its caller
    token_id: str | None = None
    token_name: str | None = None
    # Its owner, in lists of all tenants
    tenant: str | None = None
    submitted_at: datetime
    # When the next attempt starts, if it waits for that
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    # Why it waits; only where a single task that has not started is read
    waiting: Waiting | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the task has ended."""
        return self.state not in UNFINISHED


@result
class TaskPage(Result):
    """Tasks, newest first and without results, and where the next page starts."""

    tasks: list[Task]
    # Pass it as `cursor` for the next page; absent on the last
    cursor: str | None = None


@result
class TaskTotal(Result):
    """How many tasks of a processor are in a state."""

    processor: str
    state: str
    tasks: int
    # Their owner, in counts of all tenants
    tenant: str | None = None


@result
class TaskTotals(Result):
    """How many tasks are in each state."""

    # All states, also those of no task
    states: dict[str, int]
    # By processor and state; what has no task is left out
    counts: list[TaskTotal]


@result
class AcceptedMessage(Result):
    """A message that was accepted and is processed in the background."""

    task_id: str
    status_url: str
    # What the policy accepted, changed or unchanged
    findings: list[TreatedFinding]
    # In a dry run: the strictest action that would have been taken
    would_have: str | None = None
    # The decision; with findings, `GET /decisions` lists it
    decision_id: str
    # With `Prefer: receipt`: the decision, signed. A compact JWS; `vestibule receipt verify` or any JOSE library
    # checks it
    receipt: str | None = None


@result
class MessageReply(Result):
    """The reply to a message, and the decision about it."""

    reply: str = field(repr=False)
    # What the policy accepted, changed or unchanged
    findings: list[TreatedFinding]
    # In a dry run: the strictest action that would have been taken
    would_have: str | None = None
    # The decision; with findings, `GET /decisions` lists it
    decision_id: str
    # With `Prefer: receipt`: the decision, signed. A compact JWS; `vestibule receipt verify` or any JOSE library
    # checks it
    receipt: str | None = None


@result
class WebhookKey(Result):
    """The key by which a receiver verifies that a webhook comes from this service."""

    # Key of HMAC-SHA256 over `X-Vestibule-Timestamp`, a full stop and the body; used as text
    key: str = field(repr=False)


@result
class BulkPreview(Result):
    """How many tasks match, and how to confirm."""

    # Tasks that match now and can be changed so, up to 10,000
    count: int
    # Whether more match than one job takes; repeat it for those
    has_more: bool
    # Send the same request with this as `confirm`
    confirm: str
    expires_at: datetime


@result
class BulkStarted(Result):
    """A job that goes on in the background."""

    job_id: str
    status_url: str


@result
class BulkJob(Result):
    """The progress of a job."""

    job_id: str
    action: str
    state: str
    # Tasks that matched when it was confirmed, up to 10,000
    total: int
    done: int
    # Tasks that had changed meanwhile, or whose data was gone
    skipped: int
    failed: int
    # Whether more tasks matched than the job took
    has_more: bool
    reason: str | None = None
    # Name of the token that confirmed it
    author: str | None
    started_at: datetime
    finished_at: datetime | None = None


@result
class ProcessorExample(Result):
    """The result of a processor for a text."""

    data: str
    result: str
    options: dict[str, Any]


@result
class Processor(Result):
    """A processor that requests can name as `processor`."""

    name: str
    description: str
    # The JSON Schema of its options; None if it has none
    options: dict[str, Any] | None
    examples: list[ProcessorExample]


@result
class ProcessorList(Result):
    """The processors by name."""

    processors: list[Processor]
