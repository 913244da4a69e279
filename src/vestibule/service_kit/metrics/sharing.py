"""Shares metrics between the processes of a service: each writes a snapshot to a folder, and any reads them all.

The library's own mode for this maps files into memory, and the system kills a process that counts into such a file on a
full disk; a snapshot that cannot be written is only late (docs/adr/0015-metrics-of-processes.md).
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family

Labels = tuple[tuple[str, str], ...]
SeriesKey = tuple[str, Labels]


@dataclass(slots=True)
class _Series:
    """One metric: its kind and meaning, and its values by name and labels."""

    kind: str
    meaning: str
    values: dict[SeriesKey, float] = field(default_factory=dict)


class Snapshot:
    """Values of metrics at one moment."""

    def __init__(self, series: dict[str, _Series]) -> None:
        self._series = series

    @classmethod
    def take(cls, registry: CollectorRegistry) -> Self:
        """Return what is in `registry` now."""
        series: dict[str, _Series] = {}
        for family in registry.collect():
            one = series[family.name] = _Series(family.type, family.documentation)
            for sample in family.samples:
                # The creation time of a counter is a second series, which is not used.
                if not sample.name.endswith("_created"):
                    one.values[sample.name, tuple(sample.labels.items())] = sample.value
        return cls(series)

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Return the snapshot in `content`.

        Raises:
            ValueError: it is not a snapshot.
        """
        try:
            return cls({name: _series_of(*parts) for name, parts in orjson.loads(content).items()})
        except (TypeError, LookupError, AttributeError) as error:
            raise ValueError("not a snapshot of metrics") from error

    def dump(self) -> bytes:
        """Return the snapshot as bytes."""
        return orjson.dumps(
            {
                name: (one.kind, one.meaning, [(*key, value) for key, value in one.values.items()])
                for name, one in self._series.items()
            }
        )

    def lasting(self) -> "Snapshot":
        """Return what stays valid after the process has exited: everything but gauges."""
        return Snapshot({name: one for name, one in self._series.items() if one.kind != "gauge"})

    def of_process(self) -> "Snapshot":
        """Return it without the gauges that describe the system, which each process measures when it is asked."""
        kept = {name: one for name, one in self._series.items() if one.kind != "gauge" or name.startswith("process_")}
        return Snapshot(kept)

    def with_gauges_of(self, other: "Snapshot") -> "Snapshot":
        """Return it with the gauges of another one in place of its own."""
        gauges = {name: one for name, one in other._series.items() if one.kind == "gauge"}
        return Snapshot({**self.lasting()._series, **gauges})

    def families(self) -> Iterator[Family]:
        """Yield the metrics in the form that the library renders."""
        for name, one in self._series.items():
            family = Family(name, one.meaning, one.kind)
            for (sample, labels), value in one.values.items():
                family.add_sample(sample, dict(labels), value)
            yield family

    def add(self, other: "Snapshot") -> None:
        """Add what another process has counted; of a gauge that both have, the greater value counts."""
        for name, theirs in other._series.items():
            ours = self._series.setdefault(name, _Series(theirs.kind, theirs.meaning))
            for key, value in theirs.values.items():
                known = ours.values.get(key, 0.0)
                ours.values[key] = max(known, value) if ours.kind == "gauge" else known + value


def add_up(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Return the sum of `snapshots`."""
    total = Snapshot({})
    for snapshot in snapshots:
        total.add(snapshot)
    return total


def _series_of(kind: str, meaning: str, samples: list[Any]) -> _Series:
    values = {(sample, tuple((name, text) for name, text in labels)): value for sample, labels, value in samples}
    return _Series(kind, meaning, values)


PUBLISH_EVERY_S = 1.0
# Written at least this often, changed or not; an older file belongs to a process that has exited.
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
        # What the owners before have counted.
        self.inherited = _lasting(file)
        self.file = file

    @classmethod
    def take(cls, folder: Path) -> "MetricsSlot":
        """Take the first free slot in `folder`.

        Raises:
            OSError: no slot is free, or the folder is not writable.
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
        """Write `snapshot` for the other processes.

        Raises:
            OSError: the write failed; the snapshot before is kept.
        """
        # Not needed after a power failure, so it is not flushed to disk.
        unfinished = self.file.with_suffix(".new")
        unfinished.write_bytes(add_up([*self.inherited, snapshot]).dump())
        unfinished.replace(self.file)

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
        self._lock = threading.Lock()
        # The metrics of this process as they are written; None where they cannot be.
        self.written: Snapshot | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Write the last snapshot and release the slot."""
        self._stop_requested.set()
        self._thread.join(REFRESH_AFTER_S)

    def publish(self) -> None:
        """Write the metrics of this moment.

        Raises:
            OSError: the write failed, or no slot is free.
        """
        with self._lock:
            try:
                self.written = self._publish()
            except BaseException:
                self.written = None
                raise

    def others(self) -> Iterator[Snapshot]:
        """Yield the metrics of the other processes, and those that the owners of this slot counted before."""
        slot = self._slot
        if slot is None:
            yield from read_shared(self._folder)
        else:
            yield from slot.inherited
            yield from read_shared(self._folder, but=slot.file)

    def _run(self) -> None:
        has_failed = False
        while True:
            is_last = self._stop_requested.wait(PUBLISH_EVERY_S)
            try:
                self.publish()
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

    def _publish(self) -> Snapshot:
        if self._slot is None:
            self._slot = MetricsSlot.take(self._folder)
            if self._slot.is_taken_over:
                self._on_take_over()
        snapshot, now = self._take_snapshot(), time.monotonic()
        content, (known, written_at) = snapshot.dump(), self._written
        if content != known or now - written_at >= REFRESH_AFTER_S:
            self._slot.publish(snapshot)
            self._written = (content, now)
        return snapshot


def read_shared(folder: Path, but: Path | None = None) -> Iterator[Snapshot]:
    """Yield the snapshots of the processes that share `folder`, but one; gauges only of live ones."""
    for file in sorted(folder.glob("*.json")):
        if file == but:
            continue
        try:
            age_s = time.time() - file.stat().st_mtime
            snapshot = Snapshot.read(file.read_bytes())
        except (OSError, ValueError):
            continue  # being removed, or torn by a power failure
        yield snapshot if age_s < STALE_AFTER_S else snapshot.lasting()


def read_neighbours(folder: Path) -> Iterator[Snapshot]:
    """Yield the snapshots of every subfolder of `folder` with a live process."""
    for part in sorted(folder.glob("*/")):
        if any(_is_fresh(file) for file in part.glob("*.json")):
            yield from read_shared(part)


def clear_shared(folder: Path) -> None:
    """Remove the snapshots of earlier processes in `folder`; for the first process that starts."""
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
