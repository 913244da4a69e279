"""Groups the alerts of all processes and sends notifications, in a thread of one process of the host."""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import structlog

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import Channel, SyncableChannel
from vestibule.alerts.delivery.outbox import Delivery, DeliveryRules, Outbox
from vestibule.alerts.settings import Route, route_alert
from vestibule.alerts.store.database import US, open_database, to_us
from vestibule.alerts.store.retention import AlertRetention
from vestibule.egress.guard import DeliveryFailed

SWEEP_EVERY_S = 0.25
YIELD_S = 0.02
# A notification that takes longer than this is left to be sent again: a stop must not wait for it.
CLOSE_TIMEOUT_S = 3
# Until then the process that raised an alert may still be writing its report.
SYNC_AFTER_S = 2

# The channel, and how it ended: `delivered`, `failed`, `given_up`.
AttemptHandler = Callable[[str, str], None]


def ignore_attempt(_channel: str, _outcome: str) -> None:
    """Do nothing about an attempt beyond making it."""


class NotificationDispatcher:
    """Sweeps the outbox while it holds the lock; the lock of a process that exits is free at once."""

    def __init__(
        self,
        path: Path,
        rules: DeliveryRules,
        channels: Mapping[str, Channel],
        routes: Sequence[Route],
        syncable: Sequence[SyncableChannel],
        *,
        on_attempt: AttemptHandler = ignore_attempt,
        pruner: AlertRetention | None = None,
    ) -> None:
        self._path = path
        self._rules = rules
        self._channels = channels
        self._routes = routes
        self._syncable = syncable
        self._on_attempt = on_attempt
        self._pruner = pruner
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-dispatcher", daemon=True)
        self._log = structlog.get_logger("vestibule.alerts")

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current notification; another process, or the next start, sends the rest."""
        self._stop_requested.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop_requested.wait(SWEEP_EVERY_S):
            # A record that does not exist has nothing to deliver.
            if not self._path.exists():
                continue
            try:
                self._sweep_with_lock()
            except (OSError, sqlite3.Error) as error:
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                self._log.error("alert_store_read_failed", error=name)
                self._stop_requested.wait(1)

    def _sweep_with_lock(self) -> None:
        descriptor = os.open(self._path.with_name(".alerts.dispatcher.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            connection = open_database(self._path)
            try:
                self._sweep_until_stopped(Outbox(connection, self._rules), connection)
            finally:
                connection.close()
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)

    def _sweep_until_stopped(self, outbox: Outbox, connection: sqlite3.Connection) -> None:
        with ThreadPoolExecutor(max(1, len(self._channels)), thread_name_prefix="alert-channel") as pool:
            while not self._stop_requested.is_set():
                self._sweep(outbox, pool)
                if self._pruner is not None:
                    self._pruner.step(connection)
                self._stop_requested.wait(SWEEP_EVERY_S)

    def _sweep(self, outbox: Outbox, pool: ThreadPoolExecutor) -> None:
        # A pause in which those who record alerts get the lock: they poll for it, and are answered after it.
        while outbox.group_new() and not self._stop_requested.wait(YIELD_S):
            pass
        now_us = to_us(datetime.now(UTC))
        outbox.post_due(now_us, lambda alert: route_alert(alert, self._channels, self._routes))
        chosen = [(name, outbox.due(now_us, name)) for name in self._channels]
        for results in pool.map(lambda pair: self._deliver(*pair), chosen):
            for delivery, error in results:
                self._on_attempt(delivery.channel, "delivered" if error is None else "failed")
                if error is None:
                    outbox.confirm(delivery)
                else:
                    outbox.postpone(delivery, to_us(datetime.now(UTC)), error)
        for group_id, channel in outbox.give_up(now_us):
            self._on_attempt(channel, "given_up")
            self._log.error("alert_delivery_abandoned", channel=channel, alert_id=group_id)
        if self._syncable:
            outbox.sync(now_us - SYNC_AFTER_S * US, self._sync)

    def _sync(self, alerts: list[Alert]) -> None:
        for channel in self._syncable:
            channel.sync(alerts)

    def _deliver(self, name: str, deliveries: list[Delivery]) -> list[tuple[Delivery, str | None]]:
        results: list[tuple[Delivery, str | None]] = []
        for delivery in deliveries:
            try:
                self._channels[name].deliver(delivery.alert)
            except Exception as error:  # noqa: BLE001 - whatever a channel does, the others get theirs
                reason = str(error) if isinstance(error, DeliveryFailed) else type(error).__name__
                self._log.warning(
                    "alert_not_delivered",
                    channel=name,
                    alert_id=delivery.alert.id,
                    reason=reason,
                    attempt=delivery.attempts + 1,
                )
                # A channel that is away keeps nobody waiting: the rest is tried in the next sweep.
                return [*results, (delivery, reason)]
            results.append((delivery, None))
        return results
