"""The archive gives alerts newest first, a page at a time, and nothing that is not an alert."""

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.alerts import Alert, AlertArchive, AlertType, Severity
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store.alert_store import INSERT, Escalation, insert_alert
from vestibule.alerts.store.database import open_database, row_of
from vestibule.alerts.store.grouping import Grouping
from vestibule.contracts.errors import AlertNotFound, InvalidInput, Unavailable
from vestibule.contracts.identity import Visibility

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _alert(number: int) -> Alert:
    return Alert(
        type=list(AlertType)[number % 3],
        description=str(number),
        service="client",
        severity=Severity.INFO,
        time=BEGAN + timedelta(microseconds=number // 2),
    )


def _enter(path: Path, alerts: Sequence[Alert]) -> None:
    connection = open_database(path)
    connection.execute("BEGIN IMMEDIATE")
    for alert in alerts:
        insert_alert(connection, alert, Escalation())
    connection.execute("COMMIT")
    connection.close()


def _fill(path: Path, count: int) -> list[Alert]:
    """Record `count` alerts, two in every microsecond, and return them newest first."""
    alerts = [_alert(number) for number in range(count)]
    _enter(path, alerts)
    return alerts[::-1]


@given(limit=st.integers(1, 30))
@settings(deadline=None, max_examples=15)
def test_pages_together_are_everything_once(limit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Following the cursors gives every alert once, newest first, whatever the size of a page."""
    path = tmp_path_factory.mktemp("archive") / "alerts.db"
    expected = _fill(path, 23)
    archive, read, cursor, pages = AlertArchive(path), [], None, 0
    while True:
        page = archive.page(limit=limit, cursor=cursor)
        read += page.alerts
        pages += 1
        cursor = page.cursor
        if cursor is None or pages > len(expected):
            break
    archive.close()
    assert expected == read
    assert -(-23 // limit) == pages


def test_malformed_requests_are_one_line_of_the_list(tmp_path: Path) -> None:
    """A client that is wrong all day hides nothing else; the line of its group says how many there were."""
    path = tmp_path / "alerts.db"
    wrong = [
        replace(_alert(number), type=AlertType.INVALID_INPUT, token_id=token)
        for number, token in enumerate(["a", "b", "a", "a"])
    ]
    _enter(path, [*wrong, replace(wrong[0], type=AlertType.SECRET, id="0123456789abcdef")])
    connection = open_database(path)
    Outbox(connection, DeliveryRules(Grouping(), reminder_s=1, give_up_after_s=1)).group_new()
    connection.close()
    listed = AlertArchive(path).page(limit=10).alerts
    expected = [(AlertType.SECRET, 1), (AlertType.INVALID_INPUT, 1), (AlertType.INVALID_INPUT, 3)]
    assert expected == [(one.type, one.count) for one in listed]
    assert wrong[3] == AlertArchive(path).get(wrong[3].id)


def test_new_alerts_do_not_disturb_who_reads_on(tmp_path: Path) -> None:
    """An alert that is raised between two pages shifts nothing."""
    path = tmp_path / "alerts.db"
    expected = _fill(path, 10)
    archive = AlertArchive(path)
    first = archive.page(limit=4)
    _enter(path, [_alert(99)])
    assert expected[4:8] == archive.page(limit=4, cursor=first.cursor).alerts


def test_an_alert_is_found_by_its_id(tmp_path: Path) -> None:
    """The id of a refusal leads to its alert."""
    wanted = _fill(tmp_path / "alerts.db", 5)[2]
    assert wanted == AlertArchive(tmp_path / "alerts.db").get(wanted.id)


@pytest.mark.parametrize("alert_id", ["0" * 16, "", "*", "?" * 16, "../../etc/passwd", "%", "\0", "A" * 16, "\ud800"])
def test_an_unknown_id_is_not_found(tmp_path: Path, alert_id: str) -> None:
    """No id, however it is spelled, finds an alert that is not its own."""
    _fill(tmp_path / "alerts.db", 3)
    with pytest.raises(AlertNotFound):
        AlertArchive(tmp_path / "alerts.db").get(alert_id)


@pytest.mark.parametrize("cursor", ["", "x", "../../etc/passwd", "-1", "0", "1" * 19, "\0", "\u0661"])
def test_a_made_up_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    """A cursor is taken from an earlier page or not at all."""
    with pytest.raises(InvalidInput):
        AlertArchive(tmp_path / "alerts.db").page(limit=1, cursor=cursor)


def test_a_tenant_reads_its_own_alerts(tmp_path: Path) -> None:
    """Pages and ids give the alerts of the tenants that are visible."""
    path = tmp_path / "alerts.db"
    of_north, of_system = replace(_alert(1), tenant="north"), _alert(3)
    _enter(path, [_alert(0), of_north, replace(_alert(2), tenant="south"), of_system])
    archive, north = AlertArchive(path), Visibility(frozenset({"north"}), "north")
    assert [of_north] == archive.page(limit=9, visibility=north).alerts
    assert of_north == archive.get(of_north.id, north)
    with pytest.raises(AlertNotFound):
        archive.get(of_system.id, north)
    assert 4 == len(archive.page(limit=9).alerts)
    assert [] == archive.page(limit=9, visibility=Visibility(frozenset(), "")).alerts


def test_no_record_means_no_alerts(tmp_path: Path) -> None:
    """A fresh instance has an empty archive, and reading it leaves nothing behind."""
    page = AlertArchive(tmp_path / "nothing" / "alerts.db").page(limit=10)
    assert ([], None, []) == (page.alerts, page.cursor, list(tmp_path.iterdir()))


def test_a_record_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A file that is no record is a part that is not available, not an unforeseen error."""
    (tmp_path / "alerts.db").write_text("in the way, and long enough not to be taken for an empty file")
    with pytest.raises(Unavailable):
        AlertArchive(tmp_path / "alerts.db").page(limit=10)


def test_pages_of_a_large_record_come_at_once(tmp_path: Path) -> None:
    """With 200,000 alerts, a page from anywhere, of few or all tenants, and an alert by its id take milliseconds."""
    path, count = tmp_path / "alerts.db", 200_000
    connection = open_database(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    template = row_of(_alert(0))[1:]
    connection.executemany(INSERT, ((f"{number:016x}", *template) for number in range(count)))
    connection.execute("COMMIT")
    archive = AlertArchive(path)
    archive.page(limit=1)
    views = [Visibility(frozenset(tenants), "") for tenants in (["north"], ["~system", "default"], [])]
    took_s = []
    for _ in range(10):
        began = time.perf_counter()
        middle = archive.page(limit=50, cursor=f"{template[0]}-{count // 2}")
        wanted = archive.get(f"{count - 1:016x}")
        found = [len(archive.page(limit=50, visibility=view).alerts) for view in views]
        took_s.append(time.perf_counter() - began)
    # The shortest, since a busy machine makes some of them wait.
    assert min(took_s) < 0.2
    assert [0, 50, 0] == found
    assert (50, f"{count - 1:016x}") == (len(middle.alerts), wanted.id)
    assert isinstance(connection, sqlite3.Connection)
    connection.close()


def test_a_row_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    """A type of another version, or a torn time: the others are listed, grouped and notified, and it is logged once."""
    path = tmp_path / "alerts.db"
    *others, torn, newer = _fill(path, 5)
    rules = DeliveryRules(Grouping(), 3600, 3600)
    connection = open_database(path)
    connection.execute("UPDATE alerts SET type = 'OfAnotherVersion' WHERE id = ?", (newer.id,))
    connection.execute("UPDATE alerts SET time_us = 4611686018427387904 WHERE id = ?", (torn.id,))
    outbox, archive = Outbox(connection, rules), AlertArchive(path)
    with structlog.testing.capture_logs() as lines:
        assert others == archive.page(limit=9).alerts
        assert others == archive.page(limit=9).alerts
        assert [5, 0] == [outbox.group_new(), outbox.group_new()]
        first, *rest = [group_id for (group_id,) in connection.execute("SELECT id FROM groups ORDER BY first_us")]
        connection.execute("UPDATE groups SET due_us = 1")
        connection.execute("UPDATE groups SET severity = 'torn' WHERE id = ?", (first,))
        outbox.post_due(2, lambda _: ["channel"])
        assert rest
        assert set(rest) == {one.alert.id for one in outbox.due(2, "channel")}
    connection.close()
    with pytest.raises(AlertNotFound):
        archive.get(newer.id)
    assert 3 == [line["event"] for line in lines].count("alert_unreadable")
