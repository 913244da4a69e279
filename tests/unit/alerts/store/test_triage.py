"""What people do about alerts holds: nothing more is told of what is known, silenced or over."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.alerts import AlertSettings, AlertType, build_alert_engine
from vestibule.alerts.alert import Alert, NoticeEvent
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store import silences
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.alerts.store.groups import AlertGroups
from vestibule.alerts.store.silences import Silence, SilenceRepository
from vestibule.contracts.errors import AlertNotFound, InvalidInput, SilenceNotFound
from vestibule.contracts.identity import Visibility

RULES = DeliveryRules(Grouping(quiet_s=0, wait_s=0), reminder_s=100, give_up_after_s=86_400)


class _Triage:
    """A record with the one who delivers, at times that the test chooses."""

    def __init__(self, folder: Path) -> None:
        self.engine = build_alert_engine("client", AlertSettings(data_dir=folder, alert_channels=[]))
        self.connection = open_database(folder / "alerts.db")
        self.groups = AlertGroups(folder / "alerts.db")
        self.silences = SilenceRepository(folder / "alerts.db")
        self._outbox = Outbox(self.connection, RULES)

    def leak(self, **fields: Any) -> Alert:
        return asyncio.run(self.engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id="t", **fields))

    def leak_of(self, token_id: str) -> Alert:
        return asyncio.run(self.engine.raise_alert(AlertType.PERSONAL_DATA, "It.", token_id=token_id))

    def event(self, kind: AlertType, subject: str) -> Alert:
        return asyncio.run(self.engine.raise_alert(kind, f"{kind} of {subject}.", subject=subject))

    def missed(self, subject: str, tenant: str) -> Alert:
        return self._of_tenant(AlertType.HEARTBEAT_MISSED, subject, tenant)

    def back(self, subject: str, tenant: str) -> Alert:
        return self._of_tenant(AlertType.HEARTBEAT_RECOVERED, subject, tenant)

    def _of_tenant(self, kind: AlertType, subject: str, tenant: str) -> Alert:
        return asyncio.run(self.engine.raise_alert(kind, "It.", subject=subject, tenant=tenant))

    def told(self, in_s: float = 1) -> list[tuple[str, NoticeEvent]]:
        """Return what is told when it is `in_s` seconds later."""
        return [(alert.id, alert.notice.event) for alert in self.deliveries(in_s) if alert.notice is not None]

    def deliveries(self, in_s: float = 1) -> list[Alert]:
        """Return the notifications that are sent when it is `in_s` seconds later."""
        now_us = int((datetime.now(UTC).timestamp() + in_s) * 1e6)
        self._outbox.group_new()
        self._outbox.post_due(now_us, lambda _: ["kept"])
        due = self._outbox.due(now_us, "kept")
        for delivery in due:
            self._outbox.confirm(delivery, now_us)
        return [delivery.alert for delivery in due]


@pytest.fixture
def triage(tmp_path: Path) -> Iterator[_Triage]:
    """A triage with an empty alert store."""
    triage = _Triage(tmp_path)
    yield triage
    triage.connection.close()


def test_what_is_acknowledged_is_not_told_again(triage: _Triage) -> None:
    """Without it a reminder comes; with it none does, and the count goes on."""
    alert = triage.leak()
    assert [(alert.id, NoticeEvent.RAISED)] == triage.told()
    assert [(alert.id, NoticeEvent.REMINDER)] == triage.told(in_s=150)
    triage.groups.change_of_alert(alert.id, "acknowledged", "ann", "on it")
    triage.leak()
    assert [] == triage.told(in_s=900)
    group = triage.groups.group_of(alert.id)
    assert group is not None
    assert ("acknowledged", "ann", "on it", 2) == (group.state, group.state_by, group.state_reason, group.count)
    assert [("kept", "done", 1)] * 2 == [(sent.channel, sent.state, sent.attempts) for sent in group.deliveries]


def test_what_is_resolved_is_told_once_and_what_follows_is_new(triage: _Triage) -> None:
    """The end is told to those who heard of the beginning, and the next alert opens another group."""
    alert = triage.leak()
    triage.told()
    triage.groups.change_of_alert(alert.id, "resolved", "ann", None)
    assert [(alert.id, NoticeEvent.RESOLVED)] == triage.told()
    following = triage.leak()
    assert [(following.id, NoticeEvent.RAISED)] == triage.told()
    with pytest.raises(AlertNotFound):
        triage.groups.change_of_alert(alert.id, "acknowledged", "ann", None)


@pytest.mark.parametrize("matching", [("PersonalData", None, None), (None, "t", None), (None, None, "IBAN_CODE")])
def test_what_is_silenced_is_told_when_the_silence_ends(triage: _Triage, matching: tuple[str | None, ...]) -> None:
    """A silence matches by type, token and entity; its author and reason can be read while it lasts."""
    now = datetime.now(UTC)
    triage.silences.add(Silence(*matching, "ann", "a drill", now, now + timedelta(seconds=500)))  # type: ignore[arg-type]
    alert = triage.leak(entities=["EMAIL_ADDRESS", "IBAN_CODE"])
    assert [] == triage.told()
    assert [("ann", "a drill")] == [(one.author, one.reason) for one in triage.silences.find_all()]
    assert [(alert.id, NoticeEvent.RAISED)] == triage.told(in_s=501)


def test_a_silence_of_something_else_silences_nothing(triage: _Triage) -> None:
    """Part of an entity's name is not the entity."""
    now = datetime.now(UTC)
    for matching in (("Secret", None, None), (None, "other", None), (None, None, "IBAN")):
        triage.silences.add(Silence(*matching, "ann", "a drill", now, now + timedelta(seconds=500)))
    alert = triage.leak(entities=["IBAN_CODE"])
    assert [(alert.id, NoticeEvent.RAISED)] == triage.told()
    with pytest.raises(InvalidInput):
        triage.silences.add(Silence(None, None, None, "ann", "backwards", now, now))


def test_a_silence_applies_within_its_tenant(triage: _Triage) -> None:
    """One of a tenant silences nothing of another, nor of the system; one of an operator silences all."""
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=500)
    triage.silences.add(Silence(None, None, None, "ann", "a drill", now, ends, tenant="north"))
    triage.leak(tenant="north")
    others = [triage.leak(tenant="south"), triage.event(AlertType.SERVICE_DOWN, "database")]
    assert {one.id for one in others} == {alert_id for alert_id, _ in triage.told()}
    north, south = (Visibility(frozenset({name}), name) for name in ("north", "south"))
    assert (["north"], []) == (
        [one.tenant for one in triage.silences.find_all(north)],
        triage.silences.find_all(south),
    )
    triage.silences.add(Silence(None, None, None, "ann", "a drill", now, ends))
    triage.leak(tenant="west")
    assert [] == triage.told()


def test_tenants_have_no_group_in_common(triage: _Triage) -> None:
    """Not by token, fingerprint or subject, however alike they are; a recovery ends the outage of its tenant."""
    leaks = [triage.leak(tenant=tenant, fingerprint="f") for tenant in ("north", "south") for _ in range(2)]
    missed = [triage.missed("heartbeat:backup", tenant) for tenant in ("north", "default", "~system")]
    triage.deliveries()
    triage.back("heartbeat:backup", "north")
    triage.deliveries()
    groups = [triage.groups.group_of(one.id) for one in (*leaks, *missed)]
    found = [(group.count, group.state) for group in groups if group is not None]
    assert [(2, "open")] * 4 + [(1, "resolved"), (1, "open"), (1, "open")] == found
    assert 5 == len({group.id for group in groups if group is not None})


def test_a_heartbeat_that_was_missed_before_tenants_can_end(triage: _Triage) -> None:
    """Its group is of no tenant; the recovery is of the default tenant, which has the heartbeats of then."""
    missed = triage.missed("heartbeat:backup", "~system")
    triage.deliveries()
    triage.back("heartbeat:backup", "default")
    triage.deliveries()
    group = triage.groups.group_of(missed.id)
    assert group is not None
    assert "resolved" == group.state


def test_a_recovery_ends_what_was_down(triage: _Triage) -> None:
    """One notification says that a part is down and one that it is back; another part's outage goes on."""
    down = triage.event(AlertType.SERVICE_DOWN, "database")
    other = triage.event(AlertType.SERVICE_DOWN, "redis")
    assert {(down.id, NoticeEvent.RAISED), (other.id, NoticeEvent.RAISED)} == set(triage.told())
    recovered = triage.event(AlertType.SERVICE_RECOVERED, "database")
    assert [(down.id, NoticeEvent.RESOLVED)] == triage.told()
    ended, still_open = triage.groups.group_of(down.id), triage.groups.group_of(other.id)
    assert ended is not None
    assert still_open is not None
    assert ("resolved", "client", recovered.description) == (ended.state, ended.state_by, ended.state_reason)
    assert "open" == still_open.state
    again = triage.event(AlertType.SERVICE_DOWN, "database")
    assert (again.id, NoticeEvent.RAISED) in triage.told()


def test_a_recovery_of_nothing_is_told_itself(triage: _Triage) -> None:
    """Where no group of the part is open, people hear of the recovery alone."""
    recovered = triage.event(AlertType.HEARTBEAT_RECOVERED, "backup")
    assert [(recovered.id, NoticeEvent.RAISED)] == triage.told()


def test_what_is_down_is_one_group_until_it_is_over(triage: _Triage) -> None:
    """An outage that is raised anew after the window of groups, in other words, is still the same outage."""
    down = triage.event(AlertType.SERVICE_DOWN, "database")
    triage.told()
    triage.connection.execute("UPDATE groups SET last_us = last_us - 10000000000")
    asyncio.run(triage.engine.raise_alert(AlertType.SERVICE_DOWN, "Still away.", subject="database"))
    triage.told()
    group = triage.groups.group_of(down.id)
    assert group is not None
    assert ("open", 2) == (group.state, group.count)


def test_many_groups_at_once_are_told_together(triage: _Triage) -> None:
    """Of fifty tokens that leak, people hear once, with the sum; what follows within the minute is one more."""
    leaks = [triage.leak_of(f"token-{number}") for number in range(50) for _ in range(2)]
    assert [] == triage.deliveries()
    (told,) = triage.deliveries(in_s=7)
    assert (leaks[0].id, 100, 50, None) == (told.id, told.count, told.notice.groups, told.token_id)  # type: ignore[union-attr]
    assert "50 groups of alerts at once" in told.description
    group = triage.groups.group_of(leaks[-1].id)
    assert group is not None
    assert ["merged"] == [sent.state for sent in group.deliveries]
    later = [triage.leak_of(f"other-{number}") for number in range(10)]
    assert [] == triage.deliveries(in_s=8)
    (told,) = triage.deliveries(in_s=68)
    assert (later[0].id, 10) == (told.id, told.count)
    alone = triage.leak_of("alone")
    assert [(alone.id, 1)] == [(one.id, one.notice.groups) for one in triage.deliveries(in_s=69) if one.notice]


def test_a_few_groups_are_told_one_by_one(triage: _Triage) -> None:
    """Up to five are no storm."""
    leaks = [triage.leak_of(f"token-{number}") for number in range(5)]
    assert {leak.id for leak in leaks} == {one.id for one in triage.deliveries()}


def test_a_silence_counts_what_it_held_back(triage: _Triage) -> None:
    """Each matching alert, and each notification of a group once; both of two silences count what both match."""
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=500)
    narrow = triage.silences.add(Silence("PersonalData", None, None, "ann", "a drill", now, ends))
    wide = triage.silences.add(Silence(None, None, None, "ann", "a drill", now, ends + timedelta(seconds=500)))
    first = triage.leak()
    assert [] == triage.told()
    triage.leak()
    triage.event(AlertType.SERVICE_DOWN, "database")
    assert [] == triage.told()
    counts = {one.id: (one.alerts, one.notifications) for one in triage.silences.find_all()}
    assert {narrow: (2, 1), wide: (3, 2)} == counts
    group = triage.groups.group_of(first.id)
    assert group is not None
    assert {(narrow, "raised"), (wide, "raised")} == {(one.silence_id, one.event) for one in group.silenced_by}
    assert [] == group.deliveries


def test_a_tenant_has_so_many_silences(triage: _Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every alert is compared with all of them; of other tenants, and over, they count for none."""
    monkeypatch.setattr(silences, "MOST_LISTED", 2)
    now = datetime.now(UTC)
    silence, other = (Silence(None, "t", None, "a", "r", now, now + timedelta(1), tenant=name) for name in "tu")
    first, _ = triage.silences.add(silence), triage.silences.add(silence)
    with pytest.raises(InvalidInput, match="2 silences"):
        triage.silences.add(silence)
    triage.silences.add(other)
    triage.silences.set_end(first, now, "ann", None)
    triage.silences.add(silence)


def test_a_silence_is_ended_and_extended(triage: _Triage) -> None:
    """What it held back is told when it has ended, and not before where it lasts longer; who did it is kept."""
    now = datetime.now(UTC)
    silence_id = triage.silences.add(Silence(None, "t", None, "ann", "a drill", now, now + timedelta(seconds=500)))
    alert = triage.leak()
    assert [] == triage.told()
    later = now + timedelta(seconds=900)
    assert later == triage.silences.set_end(silence_id, later, "bob", "longer").end
    assert [] == triage.told(in_s=600)
    with pytest.raises(SilenceNotFound):
        triage.silences.set_end(silence_id, now, "eve", None, Visibility(frozenset({"north"}), "north"))
    ended = triage.silences.set_end(silence_id, now, "carl", None)
    assert ("carl", "a drill") == (ended.changed_by, ended.reason)
    assert [(alert.id, NoticeEvent.RAISED)] == triage.told()
    assert ([], [silence_id]) == (
        triage.silences.find_all(),
        [one.id for one in triage.silences.find_all(has_ended=True)],
    )
    with pytest.raises(SilenceNotFound):
        triage.silences.set_end(silence_id, later, "ann", None)


def test_resolving_keeps_who_acknowledged_and_why(triage: _Triage) -> None:
    """Each change stands in the history, 50 of them at most, also that of an alert that says it is over."""
    alert = triage.event(AlertType.SERVICE_DOWN, "database")
    triage.deliveries()
    for number in range(60):
        triage.groups.change_of_alert(alert.id, "acknowledged", "ann", f"reason {number}")
    triage.event(AlertType.SERVICE_RECOVERED, "database")
    triage.deliveries()
    group = triage.groups.group_of(alert.id)
    assert group is not None
    assert 50 == len(group.history)
    assert [("acknowledged", "ann", "reason 59"), ("resolved", "client", "ServiceRecovered of database.")] == [
        (one.state, one.by, one.reason) for one in group.history[-2:]
    ]
