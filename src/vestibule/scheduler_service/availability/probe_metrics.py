"""Metrics of probes, and of which parts are up."""

import time
from collections.abc import Callable

from vestibule.scheduler_service.availability.outages import PartState
from vestibule.service_kit.metrics.catalogue import PART_UP, PROBE_DURATION, PROBES
from vestibule.service_kit.metrics.metrics import Metrics


class ProbeMetrics:
    """Measures probes."""

    def __init__(self, metrics: Metrics, shown_for_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the time after which a scheduler that no longer probes, since another does, shows no state."""
        self._metrics = metrics
        self._shown_for_s = shown_for_s
        self._clock = clock
        self._probed_at = clock()

    def count_probe(self, part: str, has_answered: bool, took_s: float, state: PartState) -> None:
        """Count a probe of `part`, which took `took_s` and left it in `state`."""
        self._probed_at = self._clock()
        self._metrics.count(PROBES, part, "answered" if has_answered else "missed")
        self._metrics.set(PROBE_DURATION, took_s, part)
        if state is not PartState.UNKNOWN:
            self._metrics.set(PART_UP, float(state is not PartState.DOWN), part)

    async def forget_old(self, metrics: Metrics) -> None:
        """Remove the state of parts where none was probed lately."""
        if self._clock() - self._probed_at > self._shown_for_s:
            metrics.forget(PART_UP)
            metrics.forget(PROBE_DURATION)
