"""Shares metrics between the processes of a service: each writes a snapshot to a folder, and any reads them all.

The library has a mode of its own for this. It maps files into memory, and the system kills a process that counts into
such a file on a full disk; a snapshot that cannot be written is only late (docs/adr/0015-metrics-of-processes.md).
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from vestibule.service_kit.metrics.snapshots import Snapshot, add_up

PUBLISH_EVERY_S = 1.0
# Written at least so often, changed or not: what is older is of a process that is gone.
REFRESH_AFTER_S = 5.0
STALE_AFTER_S = 20.0
MAX_PROCESSES = 1024


class MetricsSlot:
    """The slot of a process in the folder. Its lock is released when the process exits, however it ends.

    The next owner continues from the counts of the one before, so that no counter falls and files stay few.
    """

    def __init__(self, descriptor: int, file: Path, *, is_taken_over: bool) -> None:
        self._descriptor = descriptor
        self.is_taken_over = is_taken_over
        self._inherited = _lasting(file)
        self._file = file

    @classmethod
    def take(cls, folder: Path) -> "MetricsSlot":
        """Take the first free slot in `folder`.

        Raises:
            OSError: there is none, or the folder cannot be written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(MAX_PROCESSES):
            is_taken_over = (folder / f"{number}.lock").exists()
            descriptor = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return cls(descriptor, folder / f"{number}.json", is_taken_over=is_taken_over)
        raise OSError(f"more than {MAX_PROCESSES} processes share {folder}")

    def publish(self, snapshot: Snapshot) -> None:
        """Put `snapshot` where the others read it.

        Raises:
            OSError: it could not be written; what was there before is still there.
        """
        # Nobody needs it after a power cut, so it is not flushed: that would cost a disk's time each second.
        unfinished = self._file.with_suffix(".new")
        unfinished.write_bytes(add_up([*self._inherited, snapshot]).dump())
        unfinished.replace(self._file)

    def leave(self) -> None:
        """Release the slot."""
        os.close(self._descriptor)


class Publisher:
    """Writes the metrics of a process to its slot, in a thread, once a second while they change."""

    def __init__(
        self, folder: Path, take_snapshot: Callable[[], Snapshot], on_take_over: Callable[[], None] = lambda: None
    ) -> None:
        """Take the parts; `on_take_over` is called if the slot belonged to a process that exited."""
        self._folder = folder
        self._on_take_over = on_take_over
        self._take_snapshot = take_snapshot
        self._slot: MetricsSlot | None = None
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics-publisher", daemon=True)
        self._written: tuple[bytes, float] = (b"", 0.0)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Write the last snapshot and release the slot."""
        self._stop_requested.set()
        self._thread.join(REFRESH_AFTER_S)

    def _run(self) -> None:
        has_failed = False
        while True:
            is_last = self._stop_requested.wait(PUBLISH_EVERY_S)
            try:
                self._publish()
                has_failed = False
            except Exception as error:  # noqa: BLE001 - if this thread ended, the metrics of the process would stop
                if not has_failed:
                    log = structlog.get_logger("vestibule.metrics")
                    errno = error.errno if isinstance(error, OSError) else None
                    log.warning("metrics_not_published", error=type(error).__name__, errno=errno)
                has_failed = True
            if is_last:
                break
        if self._slot is not None:
            self._slot.leave()

    def _publish(self) -> None:
        if self._slot is None:
            self._slot = MetricsSlot.take(self._folder)
            if self._slot.is_taken_over:
                self._on_take_over()
        snapshot, now = self._take_snapshot(), time.monotonic()
        content, (known, written_at) = snapshot.dump(), self._written
        if content != known or now - written_at >= REFRESH_AFTER_S:
            self._slot.publish(snapshot)
            self._written = (content, now)


def read_shared(folder: Path) -> Iterator[Snapshot]:
    """Yield what the processes that share `folder` have counted; gauges only of those that live."""
    for file in sorted(folder.glob("*.json")):
        try:
            age_s = time.time() - file.stat().st_mtime
            snapshot = Snapshot.read(file.read_bytes())
        except (OSError, ValueError):
            continue  # it is being removed, or was torn by a power cut
        yield snapshot if age_s < STALE_AFTER_S else snapshot.lasting()


def read_neighbours(folder: Path) -> Iterator[Snapshot]:
    """Yield the same of every folder in `folder` in which a process still lives."""
    for part in sorted(folder.glob("*/")):
        if any(_is_fresh(file) for file in part.glob("*.json")):
            yield from read_shared(part)


def clear_shared(folder: Path) -> None:
    """Forget what processes had counted in `folder` that are gone; for the first that starts."""
    for file in [*folder.glob("*.json"), *folder.glob("*.lock")]:
        file.unlink(missing_ok=True)


def _is_fresh(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime < STALE_AFTER_S
    except OSError:
        return False


def _lasting(file: Path) -> list[Snapshot]:
    try:
        return [Snapshot.read(file.read_bytes()).lasting()]
    except (OSError, ValueError):
        return []
