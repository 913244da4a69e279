"""What the load benchmark has measured."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Round:
    """One measurement of one system."""

    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int
    cpu_us_per_request: dict[str, float]
    wrk_cpu_share: float


@dataclass
class Series:
    """All rounds of one system, route and number of connections."""

    system: str
    route: str
    connections: int
    rounds: list[Round] = field(default_factory=list)

    def middle(self, name: str) -> float:
        """Return the median of a figure over the rounds."""
        return statistics.median(getattr(one, name) for one in self.rounds)

    def extent(self, name: str) -> tuple[float, float]:
        """Return the least and the most of a figure."""
        values = [getattr(one, name) for one in self.rounds]
        return min(values), max(values)
