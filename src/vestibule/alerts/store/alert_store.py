"""The alert store, shared by all processes of a host: waiting alerts are committed in one batch."""

import asyncio
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from vestibule.alerts.alert import Alert
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.repository import Escalation, insert_alert

MAX_BATCH = 500
# What could not be recorded is tried again this often; the oldest go when there are too many to keep.
RETRY_AFTER_S = 1.0
MAX_UNRECORDED = 10_000


class _Waiting(NamedTuple):
    alert: Alert
    recorded: "asyncio.Future[Alert]"
    loop: asyncio.AbstractEventLoop


AlertHandler = Callable[[Alert, bool], None]


class AlertStore:
    """Appends alerts to the database. A failing database blocks no request: its alerts are retried until it works."""

    def __init__(
        self,
        path: Path,
        rule: Escalation,
        before_answer: AlertHandler,
        after_answer: AlertHandler,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """Take the parts: `before_answer` and `after_answer` are called before and after the answer to the caller.

        Both get the alert and whether it is on disk.
        """
        self._waiting: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._deliver = before_answer
        self._deferred = _DeferredDelivery(after_answer)
        self._writer = _Writer(path, rule, on_failure)

    async def add(self, alert: Alert) -> Alert:
        """Return the alert as it was recorded, when it is on disk, or when it is known that it cannot be now."""
        loop = asyncio.get_running_loop()
        recorded: asyncio.Future[Alert] = loop.create_future()
        self._start()
        self._waiting.put(_Waiting(alert, recorded, loop))
        # A caller who goes away does not take the alert along.
        return await asyncio.shield(recorded)

    def close(self) -> None:
        """Record what waits, and end the thread. The next alert starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._waiting.put(None)
                thread.join()
                self._deferred.close()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._deferred.start()
                self._thread = threading.Thread(target=self._run, name="alert-record", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        is_running = True
        while is_running:
            batch = self._next_batch()
            is_running = None not in batch
            self._record([one for one in batch if one is not None])
        self._writer.close()

    def _next_batch(self) -> list[_Waiting | None]:
        try:
            batch = [self._waiting.get(timeout=RETRY_AFTER_S if self._writer.is_behind else None)]
        except Empty:
            return []
        while len(batch) < MAX_BATCH and not self._waiting.empty():
            batch.append(self._waiting.get())
        return batch

    def _record(self, batch: list[_Waiting]) -> None:
        entered, is_on_disk = self._writer.write([one.alert for one in batch])
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Alert], Alert]]] = defaultdict(list)
        for one, alert in zip(batch, entered, strict=True):
            self._deliver(alert, is_on_disk)
            answers[one.loop].append((one.recorded, alert))
        for loop, pairs in answers.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, pairs)
        self._deferred.put([(alert, is_on_disk) for alert in entered])


class _DeferredDelivery:
    """The thread that delivers to the channels after the answer."""

    def __init__(self, before_answer: AlertHandler) -> None:
        self._deliver = before_answer
        self._queue: SimpleQueue[list[tuple[Alert, bool]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="alert-delivery", daemon=True)
        self._thread.start()

    def put(self, alerts: list[tuple[Alert, bool]]) -> None:
        if alerts:
            self._queue.put(alerts)

    def close(self) -> None:
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (alerts := self._queue.get()) is not None:
            for alert, is_on_disk in alerts:
                self._deliver(alert, is_on_disk)


class _Writer:
    """Commits batches, and buffers what could not be committed."""

    def __init__(self, path: Path, rule: Escalation, on_failure: Callable[[Exception], None]) -> None:
        self._path = path
        self._rule = rule
        self._on_failure = on_failure
        self._connection: sqlite3.Connection | None = None
        self._unrecorded: list[Alert] = []

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be tried again."""
        return bool(self._unrecorded)

    def write(self, alerts: list[Alert]) -> tuple[list[Alert], bool]:
        """Return the alerts as they were entered, and whether they are on disk."""
        late = len(self._unrecorded)
        if not late and not alerts:
            return [], True
        try:
            entered = self._commit([*self._unrecorded, *alerts])
        except Exception as error:  # noqa: BLE001 - were this thread to end, every later alert would wait for ever
            self._unrecorded = [*self._unrecorded, *alerts][-MAX_UNRECORDED:]
            self.close()
            self._on_failure(error)
            return alerts, False
        self._unrecorded = []
        return entered[late:], True

    def _commit(self, alerts: list[Alert]) -> list[Alert]:
        if self._connection is None:
            self._connection = open_database(self._path)
        self._connection.execute("BEGIN IMMEDIATE")
        entered = [insert_alert(self._connection, alert, self._rule) for alert in alerts]
        self._connection.execute("COMMIT")
        return entered

    def close(self) -> None:
        """Close the connection, which rolls back what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _answer(pairs: "list[tuple[asyncio.Future[Alert], Alert]]") -> None:
    for recorded, alert in pairs:
        if not recorded.done():
            recorded.set_result(alert)
