"""An alert is on disk before its request is answered, whatever else happens, and one that cannot be is not lost."""

import asyncio
import re
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from vestibule.alerts import Alert, AlertArchive, AlertSettings, AlertType, Severity, build_alert_engine
from vestibule.alerts.alert_engine import ChannelFanOut
from vestibule.alerts.store import schema
from vestibule.alerts.store.alert_store import AlertStore, Escalation
from vestibule.alerts.store.archive import AlertFilter
from vestibule.alerts.store.groups import AlertGroups, GroupFilter
from vestibule.contracts.identity import Visibility

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from typing import Any
from vestibule.alerts import AlertSettings, AlertType, build_alert_engine

async def main():
    engine = build_alert_engine("client", AlertSettings(data_dir=Path(sys.argv[1])))
    alerts = await asyncio.gather(*(engine.raise_alert(AlertType.SECRET, "It.") for _ in range(int(sys.argv[2]))))
    Path(sys.argv[3]).write_text(" ".join(alert.id for alert in alerts))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """Processes that raise alerts at once and are killed right after leave every alert in the record and a report."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), "100"]
    answers = [tmp_path / f"answers-{number}" for number in range(3)]
    killed = [subprocess.Popen([*command, str(answer)], stdout=subprocess.DEVNULL) for answer in answers]
    assert [-9] * 3 == [process.wait(60) for process in killed]
    expected = {alert_id for answer in answers for alert_id in answer.read_text().split()}
    read = {alert.id for alert in AlertArchive(tmp_path / "alerts.db").page(limit=500).alerts}
    reported = {path.stem.rsplit("_", 1)[1] for path in (tmp_path / "error_reports").glob("*.txt")}
    assert 300 == len(expected)
    assert (expected, expected) == (read, reported)


async def test_a_record_that_fails_holds_nobody_up_and_catches_up(
    tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """While another holds the lock the caller is answered and the report is there; the record has it afterwards."""
    engine = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
    await engine.raise_alert(AlertType.SECRET, "First.")
    holder = sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with structlog.testing.capture_logs() as lines:
        async with asyncio.timeout(20):
            alert = await engine.raise_alert(AlertType.SECRET, "Second.")
    assert "alert_store_write_failed" in [line["event"] for line in lines]
    assert 1 == len(list((tmp_path / "error_reports").glob(f"*{alert.id}.txt")))
    archive = AlertArchive(tmp_path / "alerts.db")
    assert ["First."] == [one.description for one in archive.page(limit=9).alerts]
    holder.execute("ROLLBACK")
    await asyncio.to_thread(wait_until, lambda: len(archive.page(limit=9).alerts) == 2)
    assert alert == archive.get(alert.id)


async def test_an_alert_that_does_not_fit_into_the_queue_is_delivered_and_logged(tmp_path: Path) -> None:
    """While the record hangs, the caller is answered when the channels have the alert; the others are recorded."""
    continues, hangs = threading.Event(), threading.Event()
    delivered: list[tuple[str, bool]] = []

    def deliver(alert: Alert, is_recorded: bool) -> None:
        delivered.append((alert.description, is_recorded))
        if alert.description == "hangs":
            hangs.set()
            assert continues.wait(60)

    path = tmp_path / "alerts.db"
    store = AlertStore(path, Escalation(), deliver, lambda *_: None, lambda _error: None, capacity=1)
    first = asyncio.create_task(store.add(_alert("hangs")))
    assert await asyncio.to_thread(hangs.wait, 60)
    second = asyncio.create_task(store.add(_alert("waits")))
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as lines:
        await store.add(_alert("does not fit"))
    assert [("writer_queue_full", "alert-record")] == [(line["event"], line["writer"]) for line in lines]
    assert ("does not fit", False) in delivered
    continues.set()
    await asyncio.gather(first, second)
    await asyncio.to_thread(store.close)
    assert ["waits", "hangs"] == [alert.description for alert in AlertArchive(path).page(limit=9).alerts]


async def test_a_channel_with_a_defect_ends_neither_the_record_nor_the_others(tmp_path: Path) -> None:
    """Its exception is logged; the caller is answered, and so is the next."""

    class Broken:
        def deliver(self, _alert: Alert) -> None:
            raise ValueError("a defect")

    failed: list[str] = []
    delivered: list[str] = []
    good = SimpleNamespace(deliver=lambda alert: delivered.append(alert.description))
    fan_out = ChannelFanOut({"broken": Broken(), "good": good}, lambda name, _error: failed.append(name))
    store = AlertStore(
        tmp_path / "alerts.db", Escalation(), lambda alert, _: fan_out.deliver(alert), lambda *_: None, failed.append
    )
    async with asyncio.timeout(60):
        for description in ("first", "second"):
            await store.add(_alert(description))
    await asyncio.to_thread(store.close)
    assert (["first", "second"], ["broken", "broken"]) == (delivered, failed)


def _alert(description: str) -> Alert:
    return Alert(type=AlertType.SECRET, description=description, service="client", severity=Severity.INFO)


async def test_the_tenth_leak_within_an_hour_is_worse(tmp_path: Path) -> None:
    """Nine leaks of a token have their own severity, the tenth the next higher; another token starts anew."""
    engine = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
    of_one = [await engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id="one") for _ in range(11)]
    of_other = await engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id="other")
    harmless = [await engine.raise_alert(AlertType.INVALID_INPUT, "It.", token_id="one") for _ in range(2)]
    assert [Severity.WARNING] * 9 + [Severity.CRITICAL] * 2 == [alert.severity for alert in of_one]
    assert [Severity.WARNING, Severity.INFO, Severity.INFO] == [a.severity for a in (of_other, *harmless)]
    assert of_one[9] == AlertArchive(tmp_path / "alerts.db").get(of_one[9].id)


async def test_leaks_of_one_commit_count_each_other(tmp_path: Path) -> None:
    """The tenth of them is worse, as it is where they come one by one; each token has its own count."""
    engine = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
    await engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id="one")
    tokens = ["one"] * 10 + ["other"] * 9
    raised = [engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id=token) for token in tokens]
    of_one = [alert.severity for alert in await asyncio.gather(*raised) if alert.token_id == "one"]
    assert [Severity.WARNING] * 8 + [Severity.CRITICAL] * 2 == of_one
    severities = Counter(alert.severity for alert in AlertArchive(tmp_path / "alerts.db").page(limit=50).alerts)
    assert {Severity.WARNING: 18, Severity.CRITICAL: 2} == severities


async def test_a_strange_description_loses_no_alert(tmp_path: Path) -> None:
    """A description that has no UTF-8 form is recorded in a form that has one."""
    engine = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
    alert = await engine.raise_alert(AlertType.SECRET, "a \ud800 b")
    assert r"a \ud800 b" == AlertArchive(tmp_path / "alerts.db").get(alert.id).description


async def test_a_file_of_a_later_version_is_shared(tmp_path: Path) -> None:
    """While a version with one more column replaces this one, this one records alerts in the same file."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=[])
    first = await build_alert_engine("client", settings).raise_alert(AlertType.SECRET, "First.")
    with closing(sqlite3.connect(tmp_path / "alerts.db")) as connection:
        connection.executescript("ALTER TABLE alerts ADD COLUMN later TEXT; PRAGMA user_version = 99;")
    second = await build_alert_engine("client", settings).raise_alert(AlertType.SECRET, "Second.")
    assert [second, first] == AlertArchive(tmp_path / "alerts.db").page(limit=9).alerts


# Triggers first, then the rest: indexes of a table go with it.
MADE = sorted(re.findall(r"CREATE (TRIGGER|INDEX|TABLE) (\w+)", schema.FILTERS), reverse=True)
WITHOUT_FILTERS = f"""
    {"".join(f"DROP {kind} IF EXISTS {name};" for kind, name in MADE)}
    ALTER TABLE alerts DROP COLUMN token_name; ALTER TABLE groups DROP COLUMN tenant;
    ALTER TABLE groups DROP COLUMN token_name; ALTER TABLE deliveries DROP COLUMN tried_us;
    ALTER TABLE silences DROP COLUMN alerts; ALTER TABLE silences DROP COLUMN notifications;
    ALTER TABLE silences DROP COLUMN changed_by; ALTER TABLE silences DROP COLUMN changed_reason;
    ALTER TABLE silences DROP COLUMN changed_us; CREATE INDEX alerts_by_tenant ON alerts (tenant);
"""
WITHOUT_TASKS = f"{WITHOUT_FILTERS} ALTER TABLE alerts DROP COLUMN task_id;"
WITHOUT_TENANTS = f"""
    {WITHOUT_TASKS}
    DROP INDEX alerts_by_tenant; ALTER TABLE alerts DROP COLUMN tenant; ALTER TABLE silences DROP COLUMN tenant;
"""
UNDONE = {
    1: WITHOUT_TENANTS + "ALTER TABLE alerts DROP COLUMN has_report;",
    2: WITHOUT_TENANTS,
    3: WITHOUT_TASKS,
    4: WITHOUT_FILTERS,
}


@pytest.mark.parametrize("version", [1, 2, 3, 4])
async def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path, version: int) -> None:
    """A file without later columns and tables gets them, and what it holds is still there, and found by filters."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=[])
    entities = ["EMAIL_ADDRESS", "IBAN_CODE"]
    first = await build_alert_engine("client", settings).raise_alert(AlertType.SECRET, "First.", entities=entities)
    with closing(sqlite3.connect(tmp_path / "alerts.db")) as connection:
        before = set(connection.execute("SELECT type, name FROM sqlite_schema"))
        connection.executescript(f"{UNDONE[version]} PRAGMA user_version = {version};")
    second = await build_alert_engine("client", settings).raise_alert(AlertType.SECRET, "Second.")
    archive = AlertArchive(tmp_path / "alerts.db")
    assert [second, first] == archive.page(limit=9).alerts
    assert [first] == archive.page(limit=9, matching=AlertFilter(entity="IBAN_CODE")).alerts
    with closing(sqlite3.connect(tmp_path / "alerts.db")) as connection:
        assert before == set(connection.execute("SELECT type, name FROM sqlite_schema"))


async def test_what_an_earlier_version_writes_is_found(tmp_path: Path) -> None:
    """Triggers write entities, tenants and histories for processes that know nothing of them."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=[])
    alert = await build_alert_engine("client", settings).raise_alert(
        AlertType.SECRET, "It.", entities=["API_KEY"], tenant="north", token_name="orders"
    )
    columns, values = "id, type, severity, entities, first_us, last_us, count", "?, 'Secret', 'info', ?, 1, 1, 1"
    group = f"INSERT INTO groups ({columns}) VALUES ({values})"
    with closing(sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)) as connection:
        connection.execute(group, (alert.id, 'A"B, API_KEY'))
        connection.execute(
            "UPDATE groups SET state = 'resolved', state_by = 'ann', state_reason = 'done', state_us = 7"
        )
        connection.execute("DELETE FROM alerts")
    assert [] == AlertArchive(tmp_path / "alerts.db").page(limit=9, matching=AlertFilter(entity="API_KEY")).alerts
    groups = AlertGroups(tmp_path / "alerts.db")
    found = groups.get(alert.id, Visibility(frozenset({"north"}), "north"))
    assert ("north", "orders", [("resolved", "ann", "done")]) == (
        found.tenant,
        found.token_name,
        [(one.state, one.by, one.reason) for one in found.history],
    )
    assert [alert.id] == [one.id for one in groups.page(limit=9, matching=GroupFilter(entity='A"B')).groups]
    with closing(sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM groups")
        tables = ("group_entities", "alert_entities", "group_changes")
        left = [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables]
    assert [(0,)] * 3 == left
