"""Counts findings and decisions."""

from vestibule.policy import Decision
from vestibule.service_kit.metrics.catalogue import DECISIONS, FINDINGS
from vestibule.service_kit.metrics.metrics import Metrics

NOTHING_FOUND = "none"


class ScreeningMetrics:
    """Counts decisions and their findings."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def count_decision(self, decision: Decision) -> None:
        """Count a decision and its findings; entities and actions come from closed vocabularies."""
        for one in decision.findings:
            self._metrics.count(FINDINGS, one.found.entity, str(one.action))
        self._metrics.count(DECISIONS, str(decision.strictest or NOTHING_FOUND))
