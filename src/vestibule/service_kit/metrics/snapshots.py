"""Snapshots of metrics, which can be stored, read again and added up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family

Labels = tuple[tuple[str, str], ...]
SeriesKey = tuple[str, Labels]


@dataclass(slots=True)
class _Series:
    """One metric: what it is, and its values by name and labels."""

    kind: str
    meaning: str
    values: dict[SeriesKey, float] = field(default_factory=dict)

    def dumped(self) -> tuple[object, ...]:
        """Return it in parts that JSON knows."""
        return self.kind, self.meaning, [(name, labels, value) for (name, labels), value in self.values.items()]


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
                # When a counter began is a second series for each, which nothing asks for.
                if not sample.name.endswith("_created"):
                    one.values[sample.name, tuple(sample.labels.items())] = sample.value
        return cls(series)

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Return the snapshot in `content`.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls({name: _series_of(*parts) for name, parts in orjson.loads(content).items()})
        except (TypeError, LookupError, AttributeError) as error:
            raise ValueError("not a snapshot of metrics") from error

    def dump(self) -> bytes:
        """Return the snapshot as bytes."""
        return orjson.dumps({name: one.dumped() for name, one in self._series.items()})

    def lasting(self) -> "Snapshot":
        """Return what stays true when its process is gone: everything but gauges."""
        return Snapshot({name: one for name, one in self._series.items() if one.kind != "gauge"})

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
