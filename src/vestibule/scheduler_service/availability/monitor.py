"""Availability monitoring: probes every part, counts the answers, and alerts on outages and recoveries."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from vestibule.alerts import AlertEngine, AlertType
from vestibule.scheduler_service.availability.availability_history import ProbeCounts
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.parts import (
    BACKLOG,
    PARTS,
    Incident,
    IncidentKind,
    PartRecord,
    PartState,
    StateChange,
    Thresholds,
)
from vestibule.scheduler_service.availability.probes import Probe, ProbeResult
from vestibule.scheduler_service.jobs import now
from vestibule.service_kit.metrics.catalogue import PART_UP, PROBE_DURATION, PROBES
from vestibule.service_kit.metrics.metrics import Metrics

IsPlanned = Callable[[str, datetime], bool]
# The part, whether it answered, the seconds that it took, and the state after the probe.
OnProbe = Callable[[str, bool, float, PartState], None]
MISS = ProbeResult(is_up=False)


@dataclass(frozen=True, slots=True)
class MonitorRules:
    """The thresholds of parts in general and of single parts, and the timeout of probes."""

    usual: Thresholds
    thresholds: Mapping[str, Thresholds]
    timeout_s: float
    start_grace_s: float = 0

    def of(self, part: str) -> Thresholds:
        """Return the thresholds of a part."""
        return self.thresholds.get(part, self.usual)


class AvailabilityMonitor:
    """Monitors the parts that have a probe; a part without one is switched off."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        monitor_state: MonitorState,
        alerts: AlertEngine,
        rules: MonitorRules,
        *,
        is_planned: IsPlanned,
        on_probe: OnProbe = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probes = probes
        self._monitor_state = monitor_state
        self._alerts = alerts
        self._rules = rules
        self._is_planned = is_planned
        self._on_probe = on_probe
        self._clock = clock
        # All parts start together, and some take longer to start than three probes.
        self._grace_until = clock() + rules.start_grace_s
        self._answered: set[str] = set()
        self._log = structlog.get_logger("vestibule.monitor")

    async def probe(self, part: str) -> None:
        """Probe one part, count the answer, and alert on a change."""
        await self._monitor_state.catch_up()
        began = self._clock()
        result = await self._ask(self._probes[part])
        latency_ms = round((self._clock() - began) * 1000, 1)
        at = now()
        is_planned = self._is_planned(part, at)
        record = self._monitor_state.parts[part]
        is_in_grace = part not in self._answered and began < self._grace_until
        if result.is_up or not is_in_grace:
            self._count(part, at, result, latency_ms, is_planned)
        since = record.down_since
        change = record.update(at, result, latency_ms, self._rules.of(part), is_in_grace=is_in_grace)
        if result.is_up:
            self._answered.add(part)
        self._on_probe(part, result.is_up, latency_ms / 1000, record.state)
        write = self._log.info if result.is_up or is_in_grace else self._log.warning
        write("probe", part=part, answered=result.is_up, latency_ms=latency_ms, state=record.state.value)
        if change is not None:
            self._record_incident(change, record, at, is_planned=is_planned)
        if await self._alert_if_due(record, since, is_planned=is_planned) or change is not None:
            await self._monitor_state.save()

    async def _ask(self, probe: Probe) -> ProbeResult:
        try:
            async with asyncio.timeout(self._rules.timeout_s):
                return await probe()
        except Exception:  # noqa: BLE001 - any error means that the part does not answer
            return MISS

    def _count(self, part: str, at: datetime, result: ProbeResult, latency_ms: float, is_planned: bool) -> None:
        # Probes in a maintenance window do not count.
        counts = (
            ProbeCounts(planned=1)
            if is_planned
            else ProbeCounts(int(result.is_up), 1, latency_ms if result.is_up else 0)
        )
        self._monitor_state.history.count(part, at, counts)

    def _record_incident(self, change: StateChange, record: PartRecord, at: datetime, *, is_planned: bool) -> None:
        incidents, part = self._monitor_state.incidents, record.name
        match change:
            case StateChange.WENT_DOWN:
                incidents.end(part, IncidentKind.DEGRADED, at)
                began = record.down_since or at
                incidents.begin(Incident(subject=part, kind=IncidentKind.DOWN, began=began, is_planned=is_planned))
            case StateChange.RECOVERED:
                incidents.end(part, IncidentKind.DOWN, at)
            case StateChange.SLOWED:
                incidents.begin(Incident(subject=part, kind=IncidentKind.DEGRADED, began=at, is_planned=is_planned))
            case StateChange.SPED_UP:
                incidents.end(part, IncidentKind.DEGRADED, at)

    async def _alert_if_due(self, record: PartRecord, since: datetime | None, *, is_planned: bool) -> bool:
        """Raise the alert that is due, if any. It depends on the state, so a suppressed alert is raised later."""
        is_down = record.state is PartState.DOWN
        if is_down and not record.is_alerted and not is_planned and not self._is_caused_elsewhere(record.name):
            await self._raise(record, is_over=False)
        elif record.state in (PartState.UP, PartState.DEGRADED) and record.is_alerted:
            await self._raise(record, is_over=True, since=since)
        else:
            return False
        record.is_alerted = is_down
        return True

    def _is_caused_elsewhere(self, part: str) -> bool:
        """Say whether the part that this one needs is down and has its own alert."""
        needed = PARTS[part].needs
        return needed is not None and self._monitor_state.parts[needed].misses_in_a_row > 0

    async def _raise(self, record: PartRecord, *, is_over: bool, since: datetime | None = None) -> None:
        name = record.name
        began = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
        if name == BACKLOG:
            kind = AlertType.QUEUE_RECOVERED if is_over else AlertType.QUEUE_STALLED
            recovered = f"{name}: workers process tasks again; it was stalled{began}."
            text = recovered if is_over else f"{name} is stalled: {record.note or 'no task is processed'}."
        elif is_over:
            kind, text = AlertType.SERVICE_RECOVERED, f"{name} answers again; it was down{began}."
        else:
            kind = AlertType.SERVICE_DOWN
            text = f"{name} did not answer {record.misses_in_a_row} probes in a row."
        await self._alerts.raise_alert(kind, text, subject=name)


class ProbeMetrics:
    """Measures probes."""

    def __init__(self, metrics: Metrics, shown_for_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the time after which a standby scheduler stops exporting the states that it probed."""
        self._metrics = metrics
        self._shown_for_s = shown_for_s
        self._clock = clock
        self._probed_at = clock()

    def count_probe(self, part: str, has_answered: bool, took_s: float, state: PartState) -> None:
        """Count a probe of `part`, which took `took_s` and left it in `state`."""
        self._probed_at = self._clock()
        self._metrics.expect(PROBES, part, "missed")
        self._metrics.count(PROBES, part, "answered" if has_answered else "missed")
        self._metrics.set(PROBE_DURATION, took_s, part)
        if state is not PartState.UNKNOWN:
            self._metrics.set(PART_UP, float(state is not PartState.DOWN), part)

    async def forget_old(self, metrics: Metrics) -> None:
        """Remove the states of parts if none was probed recently."""
        if self._clock() - self._probed_at > self._shown_for_s:
            metrics.forget(PART_UP)
            metrics.forget(PROBE_DURATION)
