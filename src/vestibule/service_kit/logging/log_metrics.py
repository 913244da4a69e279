"""The metric of lost log lines."""

from vestibule.service_kit.logging.logging_config import log_health
from vestibule.service_kit.metrics.catalogue import LOG_LINES_LOST
from vestibule.service_kit.metrics.metrics import Metrics


def show_lost_lines(metrics: Metrics) -> None:
    """Have `metrics` follow what the log of this process counts."""
    metrics.follow(LOG_LINES_LOST, lambda: {(name,): health.lost_lines for name, health in log_health().items()})
