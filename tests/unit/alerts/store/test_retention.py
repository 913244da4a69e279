"""What is old and over goes, in steps; what somebody still has to see stays."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.alerts import Alert, AlertArchive, AlertSettings, AlertType, build_alert_engine
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store import retention
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.alerts.store.groups import AlertGroups
from vestibule.alerts.store.retention import AlertRetention

RULES = DeliveryRules(Grouping(quiet_s=0, wait_s=0), reminder_s=100, give_up_after_s=86_400)
KEEP_DAYS = 10


class _House:
    """A record with reports, and a clock that the test sets."""

    def __init__(self, folder: Path) -> None:
        self.reports = folder / "error_reports"
        self.path = folder / "alerts.db"
        self._engine = build_alert_engine(
            "client", AlertSettings(data_dir=folder, alert_channels=["report_file", "report_lines"])
        )
        self.connection = open_database(self.path)
        self.outbox = Outbox(self.connection, RULES)

    def alert(self, kind: AlertType = AlertType.SECRET, **fields: Any) -> Alert:
        return asyncio.run(self._engine.raise_alert(kind, "It.", **fields))

    def notify(self, *, is_taken: bool) -> None:
        now_us = int((datetime.now(UTC).timestamp() + 1) * 1e6)
        self.outbox.group_new()
        self.outbox.post_due(now_us, lambda _: ["kept"])
        for delivery in self.outbox.due(now_us, "kept"):
            if is_taken:
                self.outbox.confirm(delivery, now_us)

    def prune(self, in_days: float = KEEP_DAYS + 1) -> int:
        """Prune as it would be so many days later, and return how many steps it took."""
        pruner = AlertRetention(self.reports, KEEP_DAYS, lambda: datetime.now(UTC) + timedelta(days=in_days))
        steps = 1
        while pruner.step(self.connection):
            steps += 1
        assert not pruner.step(self.connection)
        return steps

    def left(self) -> set[str]:
        return {alert.id for alert in AlertArchive(self.path).page(limit=500).alerts}

    def reported(self) -> set[str]:
        return {path.stem.rsplit("_", 1)[1] for path in self.reports.glob("*.txt")}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[_House]:
    """A house whose record is empty."""
    house = _House(tmp_path)
    yield house
    house.connection.close()


def test_what_is_resolved_and_delivered_goes_with_all_that_belongs_to_it(house: _House) -> None:
    """Nothing is left of it after its days: no row, no report, no line, no key of its group."""
    alerts = [house.alert(fingerprint=f"f{number}", token_id="t") for number in range(3)]
    house.notify(is_taken=True)
    AlertGroups(house.path).change_of_alert(alerts[0].id, "resolved", "ann", None)
    house.notify(is_taken=True)
    (house.reports / ".20200101T000000.000000Z_Secret_0.txt.abcd").write_text("what a crash left")
    (house.reports / "notes.md").write_text("not ours")
    house.prune(in_days=KEEP_DAYS - 1)
    assert {alert.id for alert in alerts} == house.left() == house.reported()
    house.prune()
    assert (set(), ["notes.md"]) == (house.left(), [path.name for path in house.reports.iterdir()])
    for table in ("alerts", "groups", "deliveries", "memberships"):
        assert (0,) == house.connection.execute(f"SELECT count(*) FROM {table}").fetchone()


def test_what_nobody_resolved_stays_in_its_first_alert(house: _House) -> None:
    """Of a storm that nobody looked at, the group with its count, its first alert and its report are left."""
    first, *_ = [house.alert(token_id="t", request_id="r") for _ in range(5)]
    house.notify(is_taken=True)
    house.prune()
    assert {first.id} == house.left() == house.reported()
    group = AlertGroups(house.path).group_of(first.id)
    assert group is not None
    assert 5 == group.count


def test_what_was_not_delivered_stays(house: _House) -> None:
    """A notification that waits keeps its group, though that is resolved."""
    alert = house.alert()
    house.notify(is_taken=False)
    AlertGroups(house.path).change_of_alert(alert.id, "resolved", "ann", None)
    house.prune()
    assert {alert.id} == house.left() == house.reported()


def test_what_is_not_grouped_yet_stays(house: _House) -> None:
    """An alert that nobody could be told of yet is not removed, however old."""
    alert = house.alert()
    house.prune()
    assert {alert.id} == house.left()


def test_information_goes_by_its_age(house: _House) -> None:
    """Nobody is reminded of what is only for information, so nobody has to resolve it."""
    house.alert(AlertType.INVALID_INPUT)
    house.notify(is_taken=True)
    house.prune()
    assert set() == house.left()


def test_it_goes_in_steps_beside_new_alerts(house: _House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is one short transaction, between which others record theirs."""
    monkeypatch.setattr(retention, "ROWS_A_STEP", 4)
    for _ in range(20):
        house.alert(token_id="t", request_id="r")
    house.notify(is_taken=True)
    assert 5 <= house.prune()
    assert 1 == len(house.left())


def test_a_failure_is_left_for_the_next_round(house: _House) -> None:
    """A record that is locked keeps its alerts, and nobody hears of it but the log."""
    house.alert(AlertType.INVALID_INPUT)
    house.notify(is_taken=True)
    other = sqlite3.connect(house.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    house.prune()
    other.execute("ROLLBACK")
    assert 1 == len(house.left())
    house.prune()
    assert 0 == len(house.left())
