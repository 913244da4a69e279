"""Metrics of the task ledger: how many tasks are in each state that is not done, counted at each scrape."""

from vestibule.database_service.tasks.ledger import NOT_DONE, TaskLedger
from vestibule.service_kit.metrics.catalogue import LEDGER_TASKS
from vestibule.service_kit.metrics.metrics import Metrics

# Counting more takes too long for a scrape; `docs/monitoring.md` names the number.
MAX_COUNTED = 100_000


class LedgerMetrics:
    """Counts in the ledger. Where the ledger does not answer, the gauge is absent."""

    def __init__(self, ledger: TaskLedger) -> None:
        self._ledger = ledger

    async def measure(self, metrics: Metrics) -> None:
        """Set the gauge."""
        metrics.forget(LEDGER_TASKS)
        counts = await self._ledger.count_states(MAX_COUNTED)
        for state in NOT_DONE:
            metrics.set(LEDGER_TASKS, counts[state], state.value)
