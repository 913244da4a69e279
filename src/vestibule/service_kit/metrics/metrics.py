"""The metrics of a process, in the Prometheus text format; labels are bounded and hold nothing that was sent."""

import asyncio
import platform
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric as Family

import vestibule
from vestibule.runtime.write_ahead_log import WriteAheadLog
from vestibule.service_kit.metrics.catalogue import (
    ALERT_DELIVERIES,
    ALERTS,
    BUILD_INFO,
    DISK_FREE_BYTES,
    DISK_SIZE_BYTES,
    PROCESS_CPU,
    PROCESS_MAX_FDS,
    PROCESS_MEMORY,
    PROCESS_OPEN_FDS,
    PROCESS_START,
    SQLITE_LOG_BYTES,
    Metric,
    MetricKind,
)
from vestibule.service_kit.metrics.sharing import Snapshot, add_up

# Beyond this number of series, labels are replaced by `other`.
MAX_SERIES = 2000
OTHER = "other"
SOURCE_TIMEOUT_S = 1.0
# Asks the system for the process that calls it, also after a fork.
_PROCESS = ProcessCollector(registry=None)

Source = Callable[["Metrics"], Awaitable[None]]
Totals = Callable[[], Mapping[tuple[str, ...], float]]
Neighbours = Callable[[], Iterable[Snapshot]]


class Metrics:
    """The metrics of one process. Counting takes about a microsecond and never fails for a label's value."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._wrappers: dict[Metric, Any] = {}
        self._children: dict[tuple[Metric, tuple[str, ...]], Any] = {}
        self._series: dict[Metric, int] = {}
        self._sources: list[Source] = []
        self._told: dict[tuple[Metric, tuple[str, ...]], float] = {}
        self._followed: list[tuple[Metric, Totals]] = []
        self._neighbours: list[Neighbours] = []
        # Returns what other processes know of the counts of this one, if others show them too.
        self.written: Callable[[], Snapshot | None] = lambda: None
        self.set(BUILD_INFO, 1, vestibule.__version__, platform.python_version())
        # To a hundredth, so that the snapshot of an idle process stays the same and is not written each second.
        self.follow(PROCESS_CPU, lambda: {(): round(time.process_time(), 2)})

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        child = self._children.get((metric, labels)) or self._add_child(metric, labels)
        child.inc(by)

    def counter(self, metric: Metric, *labels: str) -> Callable[[], None]:
        """Return what adds 1 to a counter, for who counts the same often."""
        child = self._children.get((metric, labels)) or self._add_child(metric, labels)
        increase: Callable[[], None] = child.inc
        return increase

    def observer(self, metric: Metric, *labels: str) -> Callable[[float], None]:
        """Return what adds a value to a histogram, for who adds to the same often."""
        child = self._children.get((metric, labels)) or self._add_child(metric, labels)
        observe: Callable[[float], None] = child.observe
        return observe

    def expect(self, metric: Metric, *labels: str) -> None:
        """Show a metric from now on: a query for its increase needs the zero at the beginning."""
        if (metric, labels) not in self._children:
            self._add_child(metric, labels)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add one value to a histogram."""
        child = self._children.get((metric, labels)) or self._add_child(metric, labels)
        child.observe(value)

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        child = self._children.get((metric, labels)) or self._add_child(metric, labels)
        child.set(value)

    def forget(self, metric: Metric) -> None:
        """Hide a gauge until it is set again: no value is better than an old one."""
        for key in [key for key in self._children if key[0] is metric]:
            del self._children[key]
        if metric in self._wrappers:
            self._wrappers[metric].clear()
            self._series[metric] = 0

    def ask(self, source: Source) -> None:
        """Run `source`, which sets gauges, before each rendering."""
        self._sources.append(source)

    def follow(self, counter: Metric, totals: Totals) -> None:
        """Increase a counter with what `totals` returns, by labels; for values that are counted elsewhere."""
        self._followed.append((counter, totals))

    def join(self, neighbours: Neighbours) -> None:
        """Add the snapshots that `neighbours` returns to the metrics of this process."""
        self._neighbours.append(neighbours)

    async def refresh(self) -> None:
        """Run all sources, each for at most a second; a source that can fail forgets its old values first."""
        asked = (asyncio.wait_for(source(self), SOURCE_TIMEOUT_S) for source in self._sources)
        await asyncio.gather(*asked, return_exceptions=True)

    def snapshot(self) -> Snapshot:
        """Return what this process has counted, and what the system says about it."""
        self._measure_process()
        for counter, totals in self._followed:
            for labels, total in totals().items():
                self.count(counter, *labels, by=max(0.0, total - self._told.get((counter, labels), 0.0)))
                self._told[counter, labels] = total
        return Snapshot.take(self._registry)

    def render(self) -> bytes:
        """Return everything as text."""
        return generate_latest(self)

    def collect(self) -> Iterator[Family]:
        """Yield all metrics."""
        others = [snapshot for neighbours in self._neighbours for snapshot in neighbours()]
        own, written = self.snapshot(), self.written()
        if written is not None:
            # Counts that only this process knows could end with it, and the next answer would have fewer.
            own = written.with_gauges_of(own)
        yield from add_up([own, *others]).families()

    def _measure_process(self) -> None:
        known = {sample.name: sample.value for family in _PROCESS.collect() for sample in family.samples}
        # Only Linux says all of it.
        with suppress(KeyError):
            self.set(PROCESS_MEMORY, known[PROCESS_MEMORY.name])
            self.set(PROCESS_START, known[PROCESS_START.name])
            self.set(PROCESS_OPEN_FDS, known[PROCESS_OPEN_FDS.name])
            self.set(PROCESS_MAX_FDS, known[PROCESS_MAX_FDS.name])

    def _add_child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        if metric not in self._wrappers:
            self._wrappers[metric] = _wrap(metric, self._registry)
        series = self._series.get(metric, 0)
        if series >= MAX_SERIES:
            return self._wrappers[metric].labels(self._service, *(OTHER for _ in labels))
        self._series[metric] = series + 1
        child = self._wrappers[metric].labels(self._service, *labels)
        self._children[(metric, labels)] = child
        return child


def _wrap(metric: Metric, registry: CollectorRegistry) -> Any:
    labels = ("service", *metric.labels)
    match metric.kind:
        case MetricKind.COUNTER:
            return Counter(metric.name, metric.meaning, labels, registry=registry)
        case MetricKind.GAUGE:
            return Gauge(metric.name, metric.meaning, labels, registry=registry)
        case MetricKind.HISTOGRAM:
            return Histogram(metric.name, metric.meaning, labels, registry=registry, buckets=metric.buckets)


def measure_logs(metrics: Metrics, *logs: WriteAheadLog) -> None:
    """Show the size of write-ahead logs from now on."""

    async def measure(metrics: Metrics) -> None:
        for log in logs:
            metrics.set(SQLITE_LOG_BYTES, log.size_bytes, log.name)

    metrics.ask(measure)


def measure_disk(metrics: Metrics, folder: Path) -> None:
    """Show from now on how full the file system of `folder` is; nothing while it cannot be asked."""

    async def measure(metrics: Metrics) -> None:
        metrics.forget(DISK_FREE_BYTES)
        metrics.forget(DISK_SIZE_BYTES)
        # A file system of the network may not answer for long.
        usage = await asyncio.to_thread(shutil.disk_usage, folder)
        metrics.set(DISK_FREE_BYTES, usage.free)
        metrics.set(DISK_SIZE_BYTES, usage.total)

    metrics.ask(measure)


OUTCOMES = ("delivered", "failed", "given_up")


class Raised(Protocol):
    """The part of an alert that is counted; both are from a closed vocabulary."""

    @property
    def type(self) -> str: ...

    @property
    def severity(self) -> str: ...


class AlertMetrics:
    """Counts the alerts and delivery attempts of a service."""

    def __init__(self, metrics: Metrics, channels: Iterable[str]) -> None:
        """Take the names of the channels that are in use."""
        self._metrics = metrics
        for channel in channels:
            for outcome in OUTCOMES:
                metrics.expect(ALERT_DELIVERIES, channel, outcome)

    def count_alert(self, alert: Raised) -> None:
        """Count an alert that was raised."""
        self._metrics.count(ALERTS, str(alert.type), str(alert.severity))

    def count_attempt(self, channel: str, outcome: str) -> None:
        """Count an attempt to deliver a notification."""
        self._metrics.count(ALERT_DELIVERIES, channel, outcome)
