"""The client: one pool of connections, and the resources of the services on it."""

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from vestibule.client.asynchronous.transport import AsyncTransport
from vestibule.client.configuration import DEFAULT_TIMEOUT_S, configure
from vestibule.client.retry import Retry

if TYPE_CHECKING:
    from vestibule.client.asynchronous.administration import AsyncAudit, AsyncTokens
    from vestibule.client.asynchronous.alerts import AsyncAlertGroups, AsyncAlerts, AsyncChannels, AsyncSilences
    from vestibule.client.asynchronous.decisions import AsyncDecisions, AsyncReceipts, AsyncTraces
    from vestibule.client.asynchronous.detection import AsyncDetection
    from vestibule.client.asynchronous.entries import AsyncEntries, AsyncForms
    from vestibule.client.asynchronous.policy import AsyncAllowances, AsyncPolicy
    from vestibule.client.asynchronous.queue import AsyncQueue, AsyncWorkers
    from vestibule.client.asynchronous.scheduler import AsyncHeartbeats, AsyncMaintenance, AsyncServices, AsyncStatus
    from vestibule.client.asynchronous.schedules import AsyncSchedules
    from vestibule.client.asynchronous.subjects import AsyncSubjects
    from vestibule.client.asynchronous.task_jobs import AsyncBulkJobs, AsyncDeadTasks, AsyncProcessors
    from vestibule.client.asynchronous.tasks import AsyncMessages, AsyncTasks


class AsyncClient:
    """Speaks to the client service and the scheduler service of a running Vestibule.

    Use it in an `async with` block, or call `aclose()`. It may be used by many tasks at the same time.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        scheduler_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: Retry | None = None,
        request_id: str | None = None,
        user_agent: str | None = None,
        ca_file: str | None = None,
        proxy: str | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            url: of the client service; else `VESTIBULE_URL`, else `http://127.0.0.1:8000`.
            token: else `VESTIBULE_TOKEN`; for an address of this machine else the development token.
            scheduler_url: of the scheduler service; else `VESTIBULE_SCHEDULER_URL`, else three ports above `url`.
            timeout_s: the longest time of one method, with all its attempts; waits that you ask for come on top.
            retry: how often a request is repeated; `Retry(attempts=1)`: never, and without an `Idempotency-Key`.
            request_id: sent as `X-Request-ID`, which logs, alerts and traces name.
            user_agent: sent as `User-Agent`.
            ca_file: certificate authorities to trust, in PEM; else the usual ones.
            proxy: the address of an HTTP proxy; those of the environment are not used.

        Raises:
            ValueError: an address or an option is not valid.
        """
        self._configuration = configure(
            url,
            token,
            scheduler_url,
            timeout_s=timeout_s,
            retry=retry,
            request_id=request_id,
            user_agent=user_agent,
        )
        self._transport = AsyncTransport.open(self._configuration, ca_file, proxy)

    def with_options(
        self,
        *,
        timeout_s: float | None = None,
        retry: Retry | None = None,
        request_id: str | None = None,
        token: str | None = None,
        forwarded_for: str | None = None,
    ) -> Self:
        """Return a client with other options over the same connections.

        Args:
            timeout_s: the longest time of one method.
            retry: how often a request is repeated.
            request_id: sent as `X-Request-ID`.
            token: of somebody else, on whose behalf this program calls.
            forwarded_for: the address of that person or program, sent as `X-Forwarded-For`.

        Raises:
            ValueError: one is not valid.
        """
        other = object.__new__(type(self))
        other._configuration = self._configuration.changed(timeout_s, retry, request_id, token, forwarded_for)
        other._transport = self._transport
        return other

    @property
    def url(self) -> str:
        """The address of the client service."""
        return self._configuration.url

    @property
    def scheduler_url(self) -> str | None:
        """The address of the scheduler service; None if it is neither given nor can be derived."""
        return self._configuration.scheduler_url

    async def aclose(self) -> None:
        """Close the connections, also of the clients that `with_options` made."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # Each resource is a module of its own, which is loaded when it is used first.

    @cached_property
    def entries(self) -> "AsyncEntries":
        """Entries: texts under keys."""
        from vestibule.client.asynchronous.entries import AsyncEntries

        return AsyncEntries(self._transport, self._configuration)

    @cached_property
    def forms(self) -> "AsyncForms":
        """Forms that the policy file defines."""
        from vestibule.client.asynchronous.entries import AsyncForms

        return AsyncForms(self._transport, self._configuration)

    @cached_property
    def tasks(self) -> "AsyncTasks":
        """Tasks: processors run on stored values and messages."""
        from vestibule.client.asynchronous.tasks import AsyncTasks

        return AsyncTasks(self._transport, self._configuration)

    @cached_property
    def messages(self) -> "AsyncMessages":
        """Messages: texts that are processed without being stored."""
        from vestibule.client.asynchronous.tasks import AsyncMessages

        return AsyncMessages(self._transport, self._configuration)

    @cached_property
    def dead_tasks(self) -> "AsyncDeadTasks":
        """Dead letters: tasks that failed their last attempt."""
        from vestibule.client.asynchronous.task_jobs import AsyncDeadTasks

        return AsyncDeadTasks(self._transport, self._configuration)

    @cached_property
    def bulk_jobs(self) -> "AsyncBulkJobs":
        """Actions on many tasks."""
        from vestibule.client.asynchronous.task_jobs import AsyncBulkJobs

        return AsyncBulkJobs(self._transport, self._configuration)

    @cached_property
    def processors(self) -> "AsyncProcessors":
        """Processors."""
        from vestibule.client.asynchronous.task_jobs import AsyncProcessors

        return AsyncProcessors(self._transport, self._configuration)

    @cached_property
    def schedules(self) -> "AsyncSchedules":
        """Schedules: recurring tasks."""
        from vestibule.client.asynchronous.schedules import AsyncSchedules

        return AsyncSchedules(self._transport, self._configuration)

    @cached_property
    def queue(self) -> "AsyncQueue":
        """The queue."""
        from vestibule.client.asynchronous.queue import AsyncQueue

        return AsyncQueue(self._transport, self._configuration)

    @cached_property
    def workers(self) -> "AsyncWorkers":
        """The workers."""
        from vestibule.client.asynchronous.queue import AsyncWorkers

        return AsyncWorkers(self._transport, self._configuration)

    @cached_property
    def detection(self) -> "AsyncDetection":
        """Scans, and the values behind tokens of the policy."""
        from vestibule.client.asynchronous.detection import AsyncDetection

        return AsyncDetection(self._transport, self._configuration)

    @cached_property
    def subjects(self) -> "AsyncSubjects":
        """Subjects: where a value stands, and its erasure."""
        from vestibule.client.asynchronous.subjects import AsyncSubjects

        return AsyncSubjects(self._transport, self._configuration)

    @cached_property
    def decisions(self) -> "AsyncDecisions":
        """Decisions of the policy."""
        from vestibule.client.asynchronous.decisions import AsyncDecisions

        return AsyncDecisions(self._transport, self._configuration)

    @cached_property
    def receipts(self) -> "AsyncReceipts":
        """Signed receipts of decisions."""
        from vestibule.client.asynchronous.decisions import AsyncReceipts

        return AsyncReceipts(self._transport, self._configuration)

    @cached_property
    def traces(self) -> "AsyncTraces":
        """Traces: all that happened to a request, task, decision, alert or job."""
        from vestibule.client.asynchronous.decisions import AsyncTraces

        return AsyncTraces(self._transport, self._configuration)

    @cached_property
    def alerts(self) -> "AsyncAlerts":
        """Alerts."""
        from vestibule.client.asynchronous.alerts import AsyncAlerts

        return AsyncAlerts(self._transport, self._configuration)

    @cached_property
    def alert_groups(self) -> "AsyncAlertGroups":
        """Groups of alerts."""
        from vestibule.client.asynchronous.alerts import AsyncAlertGroups

        return AsyncAlertGroups(self._transport, self._configuration)

    @cached_property
    def silences(self) -> "AsyncSilences":
        """Silences."""
        from vestibule.client.asynchronous.alerts import AsyncSilences

        return AsyncSilences(self._transport, self._configuration)

    @cached_property
    def channels(self) -> "AsyncChannels":
        """The channels that notifications go to."""
        from vestibule.client.asynchronous.alerts import AsyncChannels

        return AsyncChannels(self._transport, self._configuration)

    @cached_property
    def policy(self) -> "AsyncPolicy":
        """The policy in force, and drafts of it."""
        from vestibule.client.asynchronous.policy import AsyncPolicy

        return AsyncPolicy(self._transport, self._configuration)

    @cached_property
    def allowances(self) -> "AsyncAllowances":
        """Allowances: values that pass though they are found."""
        from vestibule.client.asynchronous.policy import AsyncAllowances

        return AsyncAllowances(self._transport, self._configuration)

    @cached_property
    def tokens(self) -> "AsyncTokens":
        """Tokens of callers."""
        from vestibule.client.asynchronous.administration import AsyncTokens

        return AsyncTokens(self._transport, self._configuration)

    @cached_property
    def audit(self) -> "AsyncAudit":
        """The audit."""
        from vestibule.client.asynchronous.administration import AsyncAudit

        return AsyncAudit(self._transport, self._configuration)

    @cached_property
    def status(self) -> "AsyncStatus":
        """The status of all parts, of the scheduler service."""
        from vestibule.client.asynchronous.scheduler import AsyncStatus

        return AsyncStatus(self._transport, self._configuration)

    @cached_property
    def heartbeats(self) -> "AsyncHeartbeats":
        """Heartbeats of jobs, of the scheduler service."""
        from vestibule.client.asynchronous.scheduler import AsyncHeartbeats

        return AsyncHeartbeats(self._transport, self._configuration)

    @cached_property
    def maintenance(self) -> "AsyncMaintenance":
        """Maintenance windows, of the scheduler service."""
        from vestibule.client.asynchronous.scheduler import AsyncMaintenance

        return AsyncMaintenance(self._transport, self._configuration)

    @cached_property
    def services(self) -> "AsyncServices":
        """What the client service says about itself: health, metrics, problem types."""
        from vestibule.client.asynchronous.scheduler import AsyncServices

        return AsyncServices(self._transport, self._configuration)
