"""Pages of alerts and groups by every filter on a large record: how long each takes, and by which index it is read.

    python benchmarks/filters_alerts.py [--alerts 1000000] [--repeat 15] [--within-ms 20]

Fills a record of its own, then asks for the first page, one in the middle and combinations of filters that match much,
little and nothing. Prints the median of each, and the plan. Ends with 1 where a median is above the bound.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from vestibule.alerts import AlertArchive, AlertType, Severity
from vestibule.alerts.store.archive import AlertFilter
from vestibule.alerts.store.database import ALERT_COLUMNS, open_database, to_us
from vestibule.alerts.store.groups import AlertGroups, GroupFilter
from vestibule.contracts.identity import Visibility

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ALERTS_A_GROUP = 10
GROUP = """
    INSERT INTO groups (id, type, token_id, severity, entities, first_us, last_us, count, state, state_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
NORTH = Visibility(frozenset({"north"}), "north")


def fill(path: Path, count: int) -> None:
    """Record `count` alerts in groups of ten. One in 50,000 is of a rare kind of each filter."""
    connection = open_database(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    values = ", ".join("?" * (len(ALERT_COLUMNS.split(", ")) + 1))
    insert = f"INSERT INTO alerts ({ALERT_COLUMNS}, group_id) VALUES ({values})"
    connection.executemany(insert, map(row, range(count)))
    connection.executemany(GROUP, map(group, range(0, count, ALERTS_A_GROUP)))
    connection.execute("COMMIT")
    connection.close()


def row(number: int) -> tuple[Any, ...]:
    """Return the row of an alert."""
    is_rare = number % 50_000 == 0
    return (
        f"{number:016x}",
        to_us(BEGAN + timedelta(seconds=number)),
        (AlertType.REVEAL if is_rare else AlertType.INVALID_TOKEN if number % 2 else AlertType.PERSONAL_DATA).value,
        (Severity.CRITICAL if is_rare else Severity.WARNING if number % 3 else Severity.INFO).value,
        f"EMAIL_ADDRESS in the value of request number {number}; the request was rejected.",
        "client",
        "IBAN_CODE" if is_rare else "" if number % 2 else "EMAIL_ADDRESS, PERSON",
        f"f{number % 1000}",
        f"request-{number}",
        "rare" if is_rare else f"token-{number % 20}",
        "needle-in-the-hay" if number == 0 else None,
        1,
        "north" if is_rare else "default",
        None,
        "orders",
        f"{number - number % ALERTS_A_GROUP:016x}",
    )


def group(number: int) -> tuple[Any, ...]:
    """Return the row of the group that begins with an alert."""
    first, is_rare = row(number), number % 50_000 == 0
    # The latest are open, all others resolved; few are acknowledged, all of them old.
    state = "acknowledged" if is_rare else "open" if number % 7 else "resolved"
    last_us = first[1] + ALERTS_A_GROUP * 1_000_000
    return (first[0], first[2], first[9], first[3], first[6], first[1], last_us, ALERTS_A_GROUP, state, first[1])


def alert_cases(count: int) -> dict[str, tuple[AlertFilter, dict[str, Any]]]:
    """Return what is asked of the alerts, by name."""
    middle = BEGAN + timedelta(seconds=count // 2)
    common = {
        "type": "PersonalData",
        "severity": "warning",
        "state": "resolved",
        "entity": "EMAIL_ADDRESS",
        "token_id": "token-2",
    }
    rare = {
        "type": "Reveal",
        "severity": "critical",
        "state": "acknowledged",
        "entity": "IBAN_CODE",
        "token_id": "rare",
    }
    none = {"type": "Secret", "entity": "API_KEY", "token_id": "nobody"}
    cases = {"none": AlertFilter(), "since": AlertFilter(since=middle), "until": AlertFilter(until=middle)}
    for kind, values in (("common", common), ("rare", rare), ("none", none)):
        cases |= {f"{name} {kind}": AlertFilter(**{name: value}) for name, value in values.items()}  # type: ignore[arg-type]
    for one, other in itertools.permutations(rare, 2):
        both = {one: rare[one], other: common[other]}
        cases[f"{one} rare, {other} common"] = AlertFilter(until=middle, **both)  # type: ignore[arg-type]
    cases["all common"] = AlertFilter(**common)  # type: ignore[arg-type]
    cases["disjoint"] = AlertFilter(type="InvalidToken", entity="EMAIL_ADDRESS")
    for name, text in (("alert", f"{count // 3:016x}"), ("request", f"request-{count // 3}"), ("nothing", "xyzzy")):
        cases[f"q {name}"] = AlertFilter(text=text)
    cases["q subject, with type"] = AlertFilter(type="Reveal", text="needle")
    asked: dict[str, tuple[AlertFilter, dict[str, Any]]] = {name: (one, {}) for name, one in cases.items()}
    cursor = f"{to_us(middle)}-{count // 2}"
    asked |= {f"{name}, next page": (one, {"cursor": cursor}) for name, one in cases.items()}
    asked |= {f"{name}, of a tenant": (one, {"visibility": NORTH}) for name, one in cases.items()}
    return asked


def group_cases() -> dict[str, GroupFilter]:
    """Return what is asked of the groups, by name."""
    common = {"type": "PersonalData", "severity": "warning", "state": "open", "entity": "PERSON", "token_id": "token-2"}
    rare = {"type": "Reveal", "severity": "critical", "state": "acknowledged", "entity": "IBAN_CODE"}
    rare["token_id"] = "rare"
    cases = {"none": GroupFilter(), "all common": GroupFilter(**common)}  # type: ignore[arg-type]
    for kind, values in (("common", common), ("rare", rare)):
        cases |= {f"{name} {kind}": GroupFilter(**{name: value}) for name, value in values.items()}  # type: ignore[arg-type]
    return cases


def measure(name: str, ask: Callable[[], Any], repeat: int, plan: Callable[[], str]) -> float:
    """Print the median of `repeat` pages and the plan; return the median in milliseconds."""
    took = []
    for _ in range(repeat):
        began = time.perf_counter()
        page = ask()
        took.append((time.perf_counter() - began) * 1000)
    found = getattr(page, "alerts", None)
    found = page.groups if found is None else found
    stopped = " stopped" if page.stopped_at else ""
    median = statistics.median(took)
    print(f"{median:8.2f} ms  {name:<55}{len(found):>4}{stopped:<9}{plan()}", flush=True)
    return median


class Explained:
    """Notes the statements of a reader, and shows the plan of the last one that reads a page."""

    def __init__(self, reader: AlertArchive | AlertGroups) -> None:
        self._query = reader.query
        self._last: tuple[str, tuple[Any, ...]] = ("", ())
        reader.query = self  # type: ignore[assignment,method-assign]

    def __call__(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Ask, and remember what was asked."""
        if "ORDER BY" in statement and " IN (?" not in statement:
            self._last = (statement, parameters)
        return self._query(statement, parameters)

    def plan(self) -> str:
        """Return the first step of the plan."""
        statement, parameters = self._last
        return str(self._query(f"EXPLAIN QUERY PLAN {statement}", parameters)[0][3])


def main() -> int:
    """Measure, and say whether every page came in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--within-ms", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alerts.db"
        began = time.perf_counter()
        fill(path, options.alerts)
        print(f"{options.alerts:,} alerts in {time.perf_counter() - began:.0f} s, {path.stat().st_size >> 20} MB")
        archive, groups = AlertArchive(path), AlertGroups(path)
        alerts_plan, groups_plan = Explained(archive), Explained(groups)
        medians = []
        for name, (matching, others) in alert_cases(options.alerts).items():
            ask = partial(archive.page, limit=50, matching=matching, **others)
            medians.append(measure(f"alerts: {name}", ask, options.repeat, alerts_plan.plan))
        for name, wanted in group_cases().items():
            page = partial(groups.page, limit=50, matching=wanted)
            medians.append(measure(f"groups: {name}", page, options.repeat, groups_plan.plan))
    print(f"slowest {max(medians):.1f} ms of {len(medians)}")
    return int(max(medians) > options.within_ms)


if __name__ == "__main__":
    sys.exit(main())
