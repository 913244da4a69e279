"""Groups the alerts of all processes and sends notifications, in a thread of one process of the host."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import Channel, SyncableChannel
from vestibule.alerts.delivery.outbox import Delivery, DeliveryRules, Outbox
from vestibule.alerts.settings import Route, route_alert
from vestibule.alerts.store.database import US, open_database, to_us
from vestibule.alerts.store.retention import AlertRetention
from vestibule.egress.guard import DeliveryFailed
from vestibule.runtime.background import Backoff
from vestibule.runtime.files import FilePlace
from vestibule.runtime.write_ahead_log import WriteAheadLog

SWEEP_EVERY_S = 0.25
YIELD_S = 0.02
# The pause after failed sweeps; after three in a row the service is not ready.
ERROR_BACKOFF = Backoff(first_s=1, longest_s=60)
FAILURES_UNTIL_UNREADY = 3
# A notification that takes longer than this is retried by the next process: a shutdown must not wait for it.
CLOSE_TIMEOUT_S = 3
# What was delivered is recorded after this time at the latest, so that a crash repeats little of it.
MAX_ROUND_S = 5
# Before that, the process that raised an alert may still write its report.
SYNC_AFTER_S = 2

# The channel, and how it ended: `delivered`, `failed`, `given_up`.
AttemptHandler = Callable[[str, str], None]


class Attempt(NamedTuple):
    """A delivery that was tried, why it failed if it did, and the seconds that the receiver wants to be left alone."""

    delivery: Delivery
    error: str | None
    retry_after_s: float = 0


Rounds = dict[str, "Future[list[Attempt]]"]


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
        on_attempt: AttemptHandler = lambda *_: None,
        pruner: AlertRetention | None = None,
    ) -> None:
        self._path = path
        self.log = WriteAheadLog(path)
        self._rules = rules
        self._channels = channels
        self._routes = routes
        self._syncable = syncable
        self._on_attempt = on_attempt
        self._pruner = pruner
        self._failures = 0
        # Until when a receiver wants to be left alone, by channel.
        self._paused_until_us: dict[str, int] = {}
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-dispatcher", daemon=True)
        self._log = structlog.get_logger("vestibule.alerts")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current notification; another process, or the next start, sends the rest."""
        self._stop_requested.set()
        self._thread.join(CLOSE_TIMEOUT_S)

    async def is_working(self) -> bool:
        """Say whether the last sweeps did not all fail, for the readiness of the service."""
        return self._failures < FAILURES_UNTIL_UNREADY

    def _run(self) -> None:
        while not self._stop_requested.wait(SWEEP_EVERY_S):
            try:
                # A store that does not exist has nothing to deliver.
                if self._path.exists():
                    self._sweep_with_lock()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - without this thread no notification is sent
                self._failures += 1
                self._log_failure(error)
                self._stop_requested.wait(ERROR_BACKOFF.delay_s(self._failures))

    def _log_failure(self, error: Exception) -> None:
        if isinstance(error, (OSError, sqlite3.Error)):
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            self._log.error("alert_store_read_failed", error=name)
        else:
            self._log.error("alert_dispatch_failed", exc_info=error)

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
        # The deliveries of each channel that are under way: a slow one holds up no other.
        rounds: Rounds = {}
        place = FilePlace(self._path)
        try:
            with ThreadPoolExecutor(max(1, len(self._channels)), thread_name_prefix="alert-channel") as pool:
                while not self._stop_requested.is_set() and place.is_kept():
                    self._sweep(outbox, pool, rounds)
                    self._failures = 0
                    if self._pruner is not None:
                        self._pruner.step(connection)
                    self.log.tend()
                    self._stop_requested.wait(SWEEP_EVERY_S)
        finally:
            self._record(outbox, rounds)

    def _sweep(self, outbox: Outbox, pool: ThreadPoolExecutor, rounds: Rounds) -> None:
        # In this pause, services that record alerts acquire the lock: they poll for it, and callers wait for them.
        while outbox.group_new() and not self._stop_requested.wait(YIELD_S):
            pass
        now_us = to_us(datetime.now(UTC))
        outbox.post_due(now_us, lambda alert: route_alert(alert, self._channels, self._routes))
        self._record(outbox, rounds)
        for name in self._channels:
            is_free = name not in rounds and self._paused_until_us.get(name, 0) <= now_us
            if is_free and (due := outbox.due(now_us, name)):
                rounds[name] = pool.submit(self._deliver, name, due)
        for group_id, channel in outbox.give_up(now_us):
            self._on_attempt(channel, "given_up")
            self._log.error("alert_delivery_abandoned", channel=channel, alert_id=group_id)
        if self._syncable:
            outbox.sync(now_us - SYNC_AFTER_S * US, self._sync)

    def _record(self, outbox: Outbox, rounds: Rounds) -> None:
        """Record the deliveries that are over."""
        for name in [name for name, one in rounds.items() if one.done()]:
            for attempt in rounds.pop(name).result():
                self._on_attempt(name, "delivered" if attempt.error is None else "failed")
                now_us = to_us(datetime.now(UTC))
                if attempt.error is None:
                    outbox.confirm(attempt.delivery, now_us)
                else:
                    self._paused_until_us[name] = now_us + int(attempt.retry_after_s * US)
                    outbox.postpone(attempt.delivery, now_us, attempt.error, attempt.retry_after_s)

    def _sync(self, alerts: list[Alert]) -> None:
        for channel in self._syncable:
            channel.sync(alerts)

    def _deliver(self, name: str, deliveries: list[Delivery]) -> list[Attempt]:
        results: list[Attempt] = []
        began = time.monotonic()
        for delivery in deliveries:
            if self._stop_requested.is_set() or time.monotonic() - began > MAX_ROUND_S:
                break
            try:
                self._channels[name].deliver(delivery.alert)
            except Exception as error:  # noqa: BLE001 - a defect of one channel must not affect the others
                reason = str(error) if isinstance(error, DeliveryFailed) else type(error).__name__
                self._log.warning(
                    "alert_not_delivered",
                    channel=name,
                    alert_id=delivery.alert.id,
                    reason=reason,
                    attempt=delivery.attempts + 1,
                )
                # The rest is tried in the next sweep.
                least_s = error.retry_after_s if isinstance(error, DeliveryFailed) else 0
                return [*results, Attempt(delivery, reason, least_s)]
            results.append(Attempt(delivery, None))
        return results
