"""The client: one pool of connections, and the resources of the services on it."""

# Made of asynchronous/client.py by `python -m vestibule.client.unasync`; change that one.

from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from vestibule.client.synchronous.transport import Transport
from vestibule.client.configuration import DEFAULT_TIMEOUT_S, configure
from vestibule.client.retry import Retry

if TYPE_CHECKING:
    from vestibule.client.synchronous.administration import Audit, Tokens
    from vestibule.client.synchronous.alerts import AlertGroups, Alerts, Channels, Silences
    from vestibule.client.synchronous.decisions import Decisions, Receipts, Traces
    from vestibule.client.synchronous.detection import Detection
    from vestibule.client.synchronous.entries import Entries, Forms
    from vestibule.client.synchronous.policy import Allowances, Policy
    from vestibule.client.synchronous.queue import Queue, Workers
    from vestibule.client.synchronous.scheduler import Heartbeats, Maintenance, Services, Status
    from vestibule.client.synchronous.schedules import Schedules
    from vestibule.client.synchronous.subjects import Subjects
    from vestibule.client.synchronous.task_jobs import BulkJobs, DeadTasks, Processors
    from vestibule.client.synchronous.tasks import Messages, Tasks


class Client:
    """Speaks to the client service and the scheduler service of a running Vestibule.

    Use it in an `with` block, or call `close()`. It may be used by many tasks at the same time.
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
        self._transport = Transport.open(self._configuration, ca_file, proxy)

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

    def close(self) -> None:
        """Close the connections, also of the clients that `with_options` made."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # Each resource is a module of its own, which is loaded when it is used first.

    @cached_property
    def entries(self) -> "Entries":
        """Entries: texts under keys."""
        from vestibule.client.synchronous.entries import Entries

        return Entries(self._transport, self._configuration)

    @cached_property
    def forms(self) -> "Forms":
        """Forms that the policy file defines."""
        from vestibule.client.synchronous.entries import Forms

        return Forms(self._transport, self._configuration)

    @cached_property
    def tasks(self) -> "Tasks":
        """Tasks: processors run on stored values and messages."""
        from vestibule.client.synchronous.tasks import Tasks

        return Tasks(self._transport, self._configuration)

    @cached_property
    def messages(self) -> "Messages":
        """Messages: texts that are processed without being stored."""
        from vestibule.client.synchronous.tasks import Messages

        return Messages(self._transport, self._configuration)

    @cached_property
    def dead_tasks(self) -> "DeadTasks":
        """Dead letters: tasks that failed their last attempt."""
        from vestibule.client.synchronous.task_jobs import DeadTasks

        return DeadTasks(self._transport, self._configuration)

    @cached_property
    def bulk_jobs(self) -> "BulkJobs":
        """Actions on many tasks."""
        from vestibule.client.synchronous.task_jobs import BulkJobs

        return BulkJobs(self._transport, self._configuration)

    @cached_property
    def processors(self) -> "Processors":
        """Processors."""
        from vestibule.client.synchronous.task_jobs import Processors

        return Processors(self._transport, self._configuration)

    @cached_property
    def schedules(self) -> "Schedules":
        """Schedules: recurring tasks."""
        from vestibule.client.synchronous.schedules import Schedules

        return Schedules(self._transport, self._configuration)

    @cached_property
    def queue(self) -> "Queue":
        """The queue."""
        from vestibule.client.synchronous.queue import Queue

        return Queue(self._transport, self._configuration)

    @cached_property
    def workers(self) -> "Workers":
        """The workers."""
        from vestibule.client.synchronous.queue import Workers

        return Workers(self._transport, self._configuration)

    @cached_property
    def detection(self) -> "Detection":
        """Scans, and the values behind tokens of the policy."""
        from vestibule.client.synchronous.detection import Detection

        return Detection(self._transport, self._configuration)

    @cached_property
    def subjects(self) -> "Subjects":
        """Subjects: where a value stands, and its erasure."""
        from vestibule.client.synchronous.subjects import Subjects

        return Subjects(self._transport, self._configuration)

    @cached_property
    def decisions(self) -> "Decisions":
        """Decisions of the policy."""
        from vestibule.client.synchronous.decisions import Decisions

        return Decisions(self._transport, self._configuration)

    @cached_property
    def receipts(self) -> "Receipts":
        """Signed receipts of decisions."""
        from vestibule.client.synchronous.decisions import Receipts

        return Receipts(self._transport, self._configuration)

    @cached_property
    def traces(self) -> "Traces":
        """Traces: all that happened to a request, task, decision, alert or job."""
        from vestibule.client.synchronous.decisions import Traces

        return Traces(self._transport, self._configuration)

    @cached_property
    def alerts(self) -> "Alerts":
        """Alerts."""
        from vestibule.client.synchronous.alerts import Alerts

        return Alerts(self._transport, self._configuration)

    @cached_property
    def alert_groups(self) -> "AlertGroups":
        """Groups of alerts."""
        from vestibule.client.synchronous.alerts import AlertGroups

        return AlertGroups(self._transport, self._configuration)

    @cached_property
    def silences(self) -> "Silences":
        """Silences."""
        from vestibule.client.synchronous.alerts import Silences

        return Silences(self._transport, self._configuration)

    @cached_property
    def channels(self) -> "Channels":
        """The channels that notifications go to."""
        from vestibule.client.synchronous.alerts import Channels

        return Channels(self._transport, self._configuration)

    @cached_property
    def policy(self) -> "Policy":
        """The policy in force, and drafts of it."""
        from vestibule.client.synchronous.policy import Policy

        return Policy(self._transport, self._configuration)

    @cached_property
    def allowances(self) -> "Allowances":
        """Allowances: values that pass though they are found."""
        from vestibule.client.synchronous.policy import Allowances

        return Allowances(self._transport, self._configuration)

    @cached_property
    def tokens(self) -> "Tokens":
        """Tokens of callers."""
        from vestibule.client.synchronous.administration import Tokens

        return Tokens(self._transport, self._configuration)

    @cached_property
    def audit(self) -> "Audit":
        """The audit."""
        from vestibule.client.synchronous.administration import Audit

        return Audit(self._transport, self._configuration)

    @cached_property
    def status(self) -> "Status":
        """The status of all parts, of the scheduler service."""
        from vestibule.client.synchronous.scheduler import Status

        return Status(self._transport, self._configuration)

    @cached_property
    def heartbeats(self) -> "Heartbeats":
        """Heartbeats of jobs, of the scheduler service."""
        from vestibule.client.synchronous.scheduler import Heartbeats

        return Heartbeats(self._transport, self._configuration)

    @cached_property
    def maintenance(self) -> "Maintenance":
        """Maintenance windows, of the scheduler service."""
        from vestibule.client.synchronous.scheduler import Maintenance

        return Maintenance(self._transport, self._configuration)

    @cached_property
    def services(self) -> "Services":
        """What the client service says about itself: health, metrics, problem types."""
        from vestibule.client.synchronous.scheduler import Services

        return Services(self._transport, self._configuration)
