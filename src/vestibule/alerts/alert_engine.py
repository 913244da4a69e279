"""The alert engine: raises alerts, records them and delivers them to the channels of this machine."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypedDict, TypeVar, runtime_checkable

from vestibule.alerts.alert import DEFAULT_SEVERITY, Alert, AlertType, Severity, new_alert_id
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.runtime.log_context import log_fields


class AlertChannel(Protocol):
    """The part of a channel that the engine needs."""

    def deliver(self, alert: Alert) -> None:
        """Deliver `alert`, or raise."""
        ...


@runtime_checkable
class BatchChannel(Protocol):
    """A channel to which many alerts cost little more than one."""

    def deliver_all(self, alerts: Sequence[Alert]) -> None:
        """Deliver `alerts`, or raise."""
        ...


class AlertRecorder(Protocol):
    """Records alerts on disk."""

    async def add(self, alert: Alert) -> Alert:
        """Return the alert as it was recorded and delivered."""
        ...


Delivered = TypeVar("Delivered")
ChannelFailureHandler = Callable[[str, Exception], None]
RaisedAlertHandler = Callable[[Alert], None]


class ChannelFanOut:
    """Delivers to the channels of this machine. A failure affects neither other channels nor the caller."""

    def __init__(self, channels: Mapping[str, AlertChannel], on_failure: ChannelFailureHandler) -> None:
        self._channels = channels
        self._on_failure = on_failure

    def deliver(self, alert: Alert) -> None:
        """Deliver `alert` to every channel, in this thread."""
        for name, channel in self._channels.items():
            self._try(name, channel.deliver, alert)

    def deliver_all(self, alerts: Sequence[Alert]) -> None:
        """Deliver `alerts` to every channel, in this thread; together where a channel takes them so."""
        for name, channel in self._channels.items():
            if isinstance(channel, BatchChannel):
                self._try(name, channel.deliver_all, alerts)
            else:
                for alert in alerts:
                    self._try(name, channel.deliver, alert)

    def _try(self, name: str, deliver: Callable[[Delivered], None], what: Delivered) -> None:
        try:
            deliver(what)
        except Exception as error:  # noqa: BLE001 - a defect of one channel must not affect the others
            self._on_failure(name, error)


class AlertEngine:
    """Raises alerts in the name of one service."""

    def __init__(
        self,
        service: str,
        channels: Mapping[str, AlertChannel],
        on_failure: ChannelFailureHandler,
        record: AlertRecorder | None = None,
        on_raised: RaisedAlertHandler = lambda _: None,
    ) -> None:
        """Take the parts. A `record` delivers to the channels itself; `on_raised` counts."""
        self._service = service
        self._fan_out = ChannelFanOut(channels, on_failure)
        self._record = record
        self._on_raised = on_raised

    async def raise_alert(
        self,
        alert_type: AlertType,
        description: str,
        *,
        entities: Sequence[str] = (),
        fingerprint: str | None = None,
        severity: Severity | None = None,
        request_id: str | None = None,
        token_id: str | None = None,
        token_name: str | None = None,
        task_id: str | None = None,
        subject: str | None = None,
        tenant: str = SYSTEM_TENANT,
        alert_id: str | None = None,
    ) -> Alert:
        """Record an alert, off the event loop, and return it when it is on disk; `alert_id` is chosen if None.

        The severity defaults to that of the type; many leaks of one token raise it. An alert that reports a recovery,
        such as `ServiceRecovered`, resolves the open group of the same `subject`.
        """
        alert = Alert(
            type=alert_type,
            description=description,
            service=self._service,
            severity=severity or DEFAULT_SEVERITY[alert_type],
            entities=tuple(entities),
            fingerprint=fingerprint,
            request_id=request_id,
            token_id=token_id,
            token_name=token_name,
            task_id=task_id,
            subject=subject,
            tenant=tenant,
            id=alert_id or new_alert_id(),
        )
        if self._record is not None:
            alert = await self._record.add(alert)
        else:
            await asyncio.to_thread(self._fan_out.deliver, alert)
        self._on_raised(alert)
        return alert

    async def report_log_failure(self, failure: str | None) -> None:
        """Alert that the log file cannot be written, or with None that it can be written again."""
        if failure:
            text = f"Log lines cannot be written to the log file ({failure}): they are counted and dropped."
            await self.raise_alert(AlertType.LOG_NOT_WRITTEN, text, subject="app.log")
        else:
            await self.raise_alert(AlertType.LOG_WRITTEN, "Log lines are written again.", subject="app.log")

    async def report_broken_file(self, name: str) -> None:
        """Alert that the file of that name changed into something that cannot be read."""
        text = f"The changed file {name} cannot be read; what it had before stays in force."
        await self.raise_alert(AlertType.FILE_BROKEN, text, subject=name)


class Origin(TypedDict):
    """The ids of a request, its task and its caller's token, and that token's name, None if unknown; and the tenant."""

    request_id: str | None
    token_id: str | None
    token_name: str | None
    task_id: str | None
    tenant: str


def current_origin() -> Origin:
    """Return the origin of the current request from the logging context."""
    bound = log_fields()
    return {
        "request_id": bound.get("request_id"),
        "token_id": bound.get("token_id"),
        "token_name": bound.get("token_name"),
        "task_id": bound.get("task_id"),
        "tenant": bound.get("tenant", SYSTEM_TENANT),
    }


class RequestAlerts:
    """Raises the alerts about failed authentication and invalid input, with the request's id."""

    def __init__(self, engine: AlertEngine, fingerprint: Callable[[str, str], str]) -> None:
        self._engine = engine
        self._fingerprint = fingerprint

    async def report_auth_failure(self, token: str | None, address: str | None = None) -> None:
        """Alert on a missing or unknown token; of token and address only keyed fingerprints are kept."""
        shown = "no token" if token is None else "an unknown token"
        fingerprint = None if token is None else self._fingerprint(token, SYSTEM_TENANT)
        await self._engine.raise_alert(
            AlertType.INVALID_TOKEN,
            f"A request had {shown}.",
            fingerprint=fingerprint,
            subject=address and self._subject_of(address),
            **current_origin(),
        )

    async def report_denied(self, limit: int) -> None:
        """Alert on too many requests of one token for routes whose scope it lacks."""
        await self._engine.raise_alert(
            AlertType.ACCESS_DENIED,
            f"One token was refused {limit} times within a minute for scopes that it does not have.",
            **current_origin(),
        )

    async def report_guessed_tokens(self, address: str, limit: int) -> None:
        """Alert on too many failed authentications of one address, of which only a keyed fingerprint is kept."""
        await self._engine.raise_alert(
            AlertType.INVALID_TOKEN,
            f"One address failed to authenticate {limit} times within a minute; its requests are rejected for now.",
            severity=Severity.CRITICAL,
            fingerprint=self._fingerprint(address, SYSTEM_TENANT),
            subject=self._subject_of(address),
            **current_origin(),
        )

    def _subject_of(self, address: str) -> str:
        return f"address-{self._fingerprint(address, SYSTEM_TENANT)}"

    async def report_invalid_input(self, error: InvalidInput) -> None:
        """Alert on a malformed request; the detail of the error repeats nothing that was sent."""
        await self._engine.raise_alert(AlertType.INVALID_INPUT, f"{error.title}. {error.detail}", **current_origin())
