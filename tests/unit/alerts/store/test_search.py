"""Filters find exactly what matches, whatever index they are read by, and a page examines a bounded number of rows."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.alerts import Alert, AlertArchive, AlertType, Severity
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store import search
from vestibule.alerts.store.alert_store import Escalation, insert_alert
from vestibule.alerts.store.archive import AlertFilter
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.alerts.store.groups import AlertGroups, GroupFilter
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import EVERYTHING, Visibility

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 120
NORTH = Visibility(frozenset({"north"}), "north")
BOTH = Visibility(frozenset({"north", "default"}), "north")
CHOICES: dict[str, tuple[Any, ...]] = {
    "type": (None, "PersonalData", "Secret"),
    "severity": (None, "critical"),
    "state": (None, "open", "acknowledged"),
    "entity": (None, "EMAIL_ADDRESS", "ADDRESS"),
    "token_id": (None, "t1"),
}


def _alert(number: int) -> Alert:
    return Alert(
        type=AlertType.SECRET if number % 3 == 0 else AlertType.PERSONAL_DATA,
        description=f"Event number {number} of many.",
        service="client",
        severity=Severity.CRITICAL if number % 4 == 0 else Severity.WARNING,
        entities=("EMAIL_ADDRESS", "PERSON") if number % 2 else ("IBAN_CODE",),
        # The time goes back now and then, as it does for what is recorded late.
        time=BEGAN + timedelta(seconds=number - number % 7 * 2),
        tenant="north" if number % 5 == 0 else "default",
        token_id=f"t{number % 4}",
        request_id=f"request-{number // 2}",
        task_id=f"task-{number}",
        fingerprint=f"f{number % 10}",
        subject="orders-queue" if number == 60 else None,
    )


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Alert]]]:
    """A record of alerts in groups, some of which are acknowledged; and the alerts, newest first."""
    path = tmp_path_factory.mktemp("search") / "alerts.db"
    connection = open_database(path)
    connection.execute("BEGIN")
    alerts = [insert_alert(connection, _alert(number), Escalation(leaks=10**6)) for number in range(COUNT)]
    connection.execute("COMMIT")
    Outbox(connection, DeliveryRules(Grouping(), 60, 60)).group_new()
    groups = AlertGroups(path)
    for group in groups.page(limit=500).groups[::3]:
        groups.change(group.id, "acknowledged", "ann", None)
    yield path, [alert for _, alert in sorted(enumerate(alerts), key=lambda one: (one[1].time, one[0]), reverse=True)]
    connection.close()


def _matches(alert: Alert, wanted: AlertFilter, state: str, visibility: Visibility) -> bool:
    pairs = (
        (wanted.type, alert.type),
        (wanted.severity, alert.severity),
        (wanted.state, state),
        (wanted.token_id, alert.token_id),
    )
    return (
        all(given is None or given == has for given, has in pairs)
        and (wanted.entity is None or wanted.entity in alert.entities)
        and visibility.covers(alert.tenant)
    )


def _all_pages(archive: AlertArchive, wanted: AlertFilter, visibility: Visibility, limit: int = 7) -> list[Alert]:
    read: list[Alert] = []
    cursor: str | None = None
    while True:
        page = archive.page(limit=limit, cursor=cursor, matching=wanted, visibility=visibility)
        read += page.alerts
        assert len(page.alerts) == limit or page.stopped_at or page.cursor is None
        if (cursor := page.cursor) is None:
            return read


@pytest.mark.parametrize("most", [5, 2000])
def test_every_combination_of_filters_finds_what_matches(
    record: tuple[Path, list[Alert]], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages together are what a check of each alert finds, in order, also where a page examines few rows."""
    monkeypatch.setattr(search, "MOST_EXAMINED", most)
    path, alerts = record
    archive, groups = AlertArchive(path), AlertGroups(path)
    states = {alert.id: found.state for alert in alerts if (found := groups.group_of(alert.id)) is not None}
    for values in itertools.product(*CHOICES.values()):
        wanted = AlertFilter(**dict(zip(CHOICES, values, strict=True)))
        for visibility in (EVERYTHING, NORTH, BOTH):
            expected = [one for one in alerts if _matches(one, wanted, states[one.id], visibility)]
            assert expected == _all_pages(archive, wanted, visibility), (wanted, visibility)
    assert alerts == _all_pages(archive, AlertFilter(), EVERYTHING)


def test_times_bound_what_is_found(record: tuple[Path, list[Alert]]) -> None:
    """`since` and `until` are inclusive."""
    path, alerts = record
    archive, first, last = AlertArchive(path), alerts[80].time, alerts[20].time
    expected = [one for one in alerts if first <= one.time <= last]
    assert expected == _all_pages(archive, AlertFilter(since=first, until=last), EVERYTHING)
    assert [] == _all_pages(archive, AlertFilter(since=last, until=first), EVERYTHING)


def test_a_search_finds_ids_first_and_then_texts(record: tuple[Path, list[Alert]]) -> None:
    """The id of an alert, a request or a task, of visible tenants alone; otherwise a part of description or subject."""
    path, alerts = record
    archive, wanted = AlertArchive(path), next(one for one in alerts if one.subject)
    for text in (wanted.id, "task-60", "Orders-Queue", "NUMBER 60 of"):
        assert [wanted] == _all_pages(archive, AlertFilter(text=text), EVERYTHING), text
    of_request = [one for one in alerts if one.request_id == "request-30"]
    assert of_request == _all_pages(archive, AlertFilter(text="request-30"), EVERYTHING)
    assert [] == _all_pages(archive, AlertFilter(text="task-61"), NORTH)
    assert [] == _all_pages(archive, AlertFilter(text="%"), EVERYTHING)


def test_the_alerts_of_a_group_are_exactly_its_own(record: tuple[Path, list[Alert]]) -> None:
    """The groups share the alerts out among them, and nobody sees those of another tenant by the id of a group."""
    path, alerts = record
    archive, groups = AlertArchive(path), AlertGroups(path).page(limit=500).groups
    read = {group.id: _all_pages(archive, AlertFilter(group_id=group.id), EVERYTHING) for group in groups}
    assert {group.id: group.count for group in groups} == {group_id: len(found) for group_id, found in read.items()}
    assert sorted(one.id for one in alerts) == sorted(one.id for found in read.values() for one in found)
    (foreign, *_) = (group.id for group in groups if group.tenant == "default")
    assert [] == _all_pages(archive, AlertFilter(group_id=foreign), NORTH)
    assert [] == _all_pages(archive, AlertFilter(group_id="0" * 16), EVERYTHING)


def test_an_unlisted_alert_is_found_by_its_request(tmp_path: Path) -> None:
    """Of malformed requests the list has one for each group; each is found by the id of its request."""
    connection = open_database(tmp_path / "alerts.db")
    for number in range(3):
        alert = Alert(
            type=AlertType.INVALID_INPUT,
            description="It.",
            service="client",
            severity=Severity.INFO,
            token_id="t",
            request_id=f"r{number}",
        )
        insert_alert(connection, alert, Escalation())
    Outbox(connection, DeliveryRules(Grouping(), 60, 60)).group_new()
    connection.close()
    archive = AlertArchive(tmp_path / "alerts.db")
    assert ["r0"] == [one.request_id for one in archive.page(limit=9).alerts]
    assert ["r2"] == [one.request_id for one in archive.page(limit=9, matching=AlertFilter(text="r2")).alerts]


def test_groups_are_found_by_every_filter(record: tuple[Path, list[Alert]], monkeypatch: pytest.MonkeyPatch) -> None:
    """By type, severity, state, entity, token and tenant, the latest first, with counts that add up to all alerts."""
    path, _ = record
    groups = AlertGroups(path)
    every = groups.page(limit=500).groups
    assert COUNT == sum(one.count for one in every)
    assert sorted(every, key=lambda one: (one.last, one.id), reverse=True) == every
    monkeypatch.setattr(search, "MOST_EXAMINED", 3)
    for values in itertools.product(*CHOICES.values()):
        wanted = GroupFilter(**dict(zip(CHOICES, values, strict=True)))
        for visibility in (EVERYTHING, NORTH):
            read, cursor = [], None
            while True:
                page = groups.page(limit=2, cursor=cursor, matching=wanted, visibility=visibility)
                read += page.groups
                if (cursor := page.cursor) is None:
                    break
            given = {name: value for name, value in zip(CHOICES, values, strict=True) if value and name != "entity"}
            expected = [
                one
                for one in every
                if all(getattr(one, name) == value for name, value in given.items())
                and (wanted.entity is None or wanted.entity in one.entities)
                and visibility.covers(one.tenant)
            ]
            assert expected == read, (wanted, visibility)


@pytest.mark.parametrize("cursor", ["", "4711", "1-", "-1", "1-g", f"{2**63}-1", "1-1;", "١-1", "9" * 20 + "-1"])
def test_a_cursor_of_no_page_is_refused(record: tuple[Path, list[Alert]], cursor: str) -> None:
    """Whatever it holds, nothing is read."""
    with pytest.raises(InvalidInput):
        AlertArchive(record[0]).page(limit=1, cursor=cursor)
