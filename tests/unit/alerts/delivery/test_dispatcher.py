"""A storm is one notification with a true count, whoever raised it, and what cannot be sent is not given up at once."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from vestibule.alerts import Alert, AlertSettings, AlertType, Severity, build_alert_engine
from vestibule.alerts.alert import NoticeEvent
from vestibule.alerts.delivery import dispatcher as dispatcher_module
from vestibule.alerts.delivery import outbox
from vestibule.alerts.delivery.dispatcher import NotificationDispatcher
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.settings import Route, route_alert
from vestibule.alerts.store.database import US, open_database
from vestibule.alerts.store.grouping import Grouping
from vestibule.egress.guard import DeliveryFailed, EgressGuard
from vestibule.runtime.background import Backoff

RULES = DeliveryRules(Grouping(quiet_s=0.5, wait_s=5), reminder_s=1000, give_up_after_s=86_400)
StartDispatcher = Callable[..., NotificationDispatcher]


class _Kept:
    """A channel that keeps what it gets, and can be away."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.is_away = False
        self.tries = 0
        self.retry_after_s = 0.0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def deliver(self, alert: Alert) -> None:
        self.tries += 1
        self.may_answer.wait(60)
        if self.is_away:
            failure = DeliveryFailed("it is away")
            failure.retry_after_s = self.retry_after_s
            raise failure
        self.alerts.append(alert)


def _wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartDispatcher]:
    """Return what starts a dispatcher on the record of the test; all end with it."""
    with ExitStack() as stack:

        def start_dispatcher(channel: Any, rules: DeliveryRules = RULES, **others: Any) -> NotificationDispatcher:
            dispatcher = NotificationDispatcher(tmp_path / "alerts.db", rules, {"kept": channel, **others}, [], [])
            dispatcher.start()
            stack.callback(dispatcher.close)
            return dispatcher

        yield start_dispatcher


def _raise(folder: Path, service: str, *alerts: dict[str, Any], kind: AlertType = AlertType.PERSONAL_DATA) -> None:
    engine = build_alert_engine(service, AlertSettings(data_dir=folder, alert_channels=[]))

    async def raise_all() -> None:
        await asyncio.gather(*(engine.raise_alert(kind, "It happened.", **alert) for alert in alerts))

    asyncio.run(raise_all())


def test_a_storm_is_one_notification_with_a_true_count(tmp_path: Path, start: StartDispatcher) -> None:
    """5,000 leaks of different values from one token, over two services and two postmen, are told once."""
    channels = [_Kept(), _Kept()]
    for channel in channels:
        start(channel, DeliveryRules(Grouping(quiet_s=5, wait_s=60), reminder_s=1000, give_up_after_s=86_400))
    leaks = [{"token_id": "t", "request_id": "r", "fingerprint": f"f{number}"} for number in range(2500)]
    others = [leak | {"fingerprint": f"g{number}"} for number, leak in enumerate(leaks)]
    raising = [threading.Thread(target=_raise, args=(tmp_path, "client", *some)) for some in (leaks, others)]
    for thread in raising:
        thread.start()
    for thread in raising:
        thread.join()
    reader = sqlite3.connect(tmp_path / "alerts.db")
    _wait_until(lambda: reader.execute("SELECT count FROM groups").fetchall() == [(5000,)])
    _wait_until(lambda: channels[0].alerts + channels[1].alerts)
    (told,) = channels[0].alerts + channels[1].alerts
    assert (5000, Severity.CRITICAL, NoticeEvent.RAISED) == (told.count, told.severity, told.notice.event)  # type: ignore[union-attr]
    reader.close()


def test_an_unexpected_error_does_not_end_the_delivery(
    tmp_path: Path, start: StartDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, the service is not ready while it lasts, and afterwards the notification is sent."""
    monkeypatch.setattr(dispatcher_module, "ERROR_BACKOFF", Backoff(first_s=0.01, longest_s=0.01))
    broken = threading.Event()
    broken.set()

    def route(alert: Alert, channels: Any, routes: Any) -> list[str]:
        if broken.is_set():
            raise ZeroDivisionError
        return route_alert(alert, channels, routes)

    monkeypatch.setattr(dispatcher_module, "route_alert", route)
    kept = _Kept()
    _raise(tmp_path, "client", {"token_id": "t"})
    with structlog.testing.capture_logs() as lines:
        dispatcher = start(kept)
        _wait_until(lambda: not asyncio.run(dispatcher.is_working()))
        broken.clear()
        _wait_until(lambda: kept.alerts)
        _wait_until(lambda: asyncio.run(dispatcher.is_working()))
    assert "alert_dispatch_failed" in [line["event"] for line in lines]


def test_the_same_value_is_one_group_whoever_sent_it(tmp_path: Path, start: StartDispatcher) -> None:
    """A fingerprint joins alerts of two tokens; another value, type or part that is away has a group of its own."""
    kept = _Kept()
    _raise(tmp_path, "client", *[{"token_id": token, "fingerprint": "f"} for token in ("a", "b", "c")])
    _raise(tmp_path, "client", {"token_id": "b", "fingerprint": "other"})
    _raise(tmp_path, "client", {"token_id": "a", "fingerprint": "f"}, kind=AlertType.SECRET)
    # Not before all are there: on a busy machine a group could be told between two of its alerts.
    start(kept)
    _wait_until(lambda: len(kept.alerts) == 3)
    counts = sorted((alert.type.value, alert.count) for alert in kept.alerts)
    assert [("PersonalData", 1), ("PersonalData", 3), ("Secret", 1)] == counts


def test_alerts_of_one_request_are_one_group(tmp_path: Path, start: StartDispatcher) -> None:
    """Whatever was found, and also where its value has a group; those of another token or type are not among them."""
    kept = _Kept()
    _raise(tmp_path, "client", {"token_id": "a", "fingerprint": "known"})
    call = {"token_id": "b", "request_id": "call"}
    _raise(tmp_path, "client", {**call, "fingerprint": "new"}, {**call, "fingerprint": "known"})
    _raise(tmp_path, "client", {"token_id": "c", "request_id": "call", "fingerprint": "other"})
    _raise(tmp_path, "client", {**call, "fingerprint": "new"}, kind=AlertType.SECRET)
    start(kept)
    _wait_until(lambda: len(kept.alerts) == 4)
    counts = sorted((alert.type.value, alert.token_id, alert.count) for alert in kept.alerts)
    of_data = [("PersonalData", "a", 1), ("PersonalData", "b", 2), ("PersonalData", "c", 1)]
    assert [*of_data, ("Secret", "b", 1)] == counts


def test_what_is_not_taken_is_tried_again(
    tmp_path: Path, start: StartDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure is kept with its reason and its attempts, and the notification arrives once the channel is back."""
    monkeypatch.setattr(outbox, "RETRY_BACKOFF", Backoff(first_s=1, longest_s=3600))
    kept = _Kept()
    kept.is_away = True
    start(kept)
    _raise(tmp_path, "client", {"token_id": "t"})
    _wait_until(lambda: kept.tries)
    reader = sqlite3.connect(tmp_path / "alerts.db")
    _wait_until(lambda: reader.execute("SELECT attempts FROM deliveries").fetchone() >= (1,))
    assert ("waiting", "it is away") == reader.execute("SELECT state, error FROM deliveries").fetchone()
    kept.is_away = False
    _wait_until(lambda: kept.alerts)
    _wait_until(lambda: reader.execute("SELECT state, error FROM deliveries").fetchone() == ("done", None))
    reader.close()


def test_a_slow_channel_holds_up_no_other(tmp_path: Path, start: StartDispatcher) -> None:
    """While one receiver takes its time, the others get all that comes."""
    slow, kept = _Kept(), _Kept()
    slow.may_answer.clear()
    start(kept, slow=slow)
    _raise(tmp_path, "client", {"token_id": "a"})
    _wait_until(lambda: slow.tries and kept.alerts)
    _raise(tmp_path, "client", {"token_id": "b"}, kind=AlertType.SECRET)
    _wait_until(lambda: len(kept.alerts) == 2)
    assert (1, []) == (slow.tries, slow.alerts)
    slow.may_answer.set()
    _wait_until(lambda: len(slow.alerts) == 2)


@pytest.mark.parametrize("parts", [1, 8], ids=["alone", "in digests"])
def test_the_end_does_not_overtake_the_beginning(
    tmp_path: Path, start: StartDispatcher, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    """The last word that a receiver gets about a group is the last that happened."""
    monkeypatch.setattr(outbox, "RETRY_BACKOFF", Backoff(first_s=0.5, longest_s=0.5))
    monkeypatch.setattr(outbox, "COLLECT_S", 0.5)
    kept = _Kept()
    kept.is_away = True
    start(kept)
    subjects = [{"subject": f"part{number}"} for number in range(parts)]
    _raise(tmp_path, "scheduler", *subjects, kind=AlertType.SERVICE_DOWN)
    _wait_until(lambda: kept.tries)
    _raise(tmp_path, "scheduler", *subjects, kind=AlertType.SERVICE_RECOVERED)
    reader = sqlite3.connect(tmp_path / "alerts.db")
    _wait_until(lambda: reader.execute("SELECT count(*) FROM deliveries WHERE event = 'resolved'").fetchone()[0])
    reader.close()
    kept.is_away = False
    _wait_until(lambda: sum(alert.notice.groups for alert in kept.alerts if alert.notice) >= 2 * parts)
    events = [alert.notice.event for alert in kept.alerts if alert.notice]
    assert [NoticeEvent.RAISED] * (len(events) // 2) == events[: len(events) // 2]


def test_a_receiver_is_left_alone_as_long_as_it_asks(tmp_path: Path, start: StartDispatcher) -> None:
    """`Retry-After` is for all that the channel has to send, and nothing of it is lost."""
    kept = _Kept()
    kept.is_away, kept.retry_after_s = True, 3000
    dispatcher = start(kept)
    _raise(tmp_path, "client", {"token_id": "a"})
    _wait_until(lambda: kept.tries)
    _raise(tmp_path, "client", {"token_id": "b"}, kind=AlertType.SECRET)
    reader = sqlite3.connect(tmp_path / "alerts.db")
    _wait_until(lambda: reader.execute("SELECT sum(attempts), count(*) FROM deliveries").fetchone() == (1, 2))
    ((due_us, created_us),) = reader.execute("SELECT due_us, created_us FROM deliveries WHERE attempts = 1").fetchall()
    reader.close()
    assert (due_us - created_us) / US >= 3000
    dispatcher.close()
    assert 1 == kept.tries


def test_another_dispatcher_takes_over(tmp_path: Path, start: StartDispatcher) -> None:
    """When the one that delivers ends, the next begins, and nothing is told twice."""
    first, second = _Kept(), _Kept()
    leaving = start(first)
    _raise(tmp_path, "client", {"token_id": "a"})
    _wait_until(lambda: first.alerts)
    start(second)
    leaving.close()
    _raise(tmp_path, "client", {"token_id": "b"})
    _wait_until(lambda: second.alerts)
    assert (1, 1) == (len(first.alerts), len(second.alerts))


def test_what_is_tried_too_long_is_given_up(tmp_path: Path) -> None:
    """After the time of the settings a notification is given up, and not before."""
    _raise(tmp_path, "client", {"token_id": "t"})
    connection = open_database(tmp_path / "alerts.db")
    box = Outbox(connection, RULES)
    now_us = int((datetime.now(UTC).timestamp() + 10) * 1e6)
    assert 1 == box.group_new()
    box.post_due(now_us, lambda _: ["kept"])
    (delivery,) = box.due(now_us, "kept")
    box.postpone(delivery, now_us, "it is away")
    assert ([], []) == (box.due(now_us, "kept"), box.give_up(now_us + 86_399_000_000))
    assert [(delivery.alert.id, "kept")] == box.give_up(now_us + 86_401_000_000)
    connection.close()


@pytest.mark.parametrize(("groups", "page"), [(1, "/alerts/groups/{}"), (8, "/alerts?type=ServiceDown")])
def test_a_notification_links_to_what_it_is_about(tmp_path: Path, groups: int, page: str) -> None:
    """One of a group to the group, a digest of many to the groups of its type."""
    subjects = [{"subject": f"part{number}"} for number in range(groups)]
    _raise(tmp_path, "scheduler", *subjects, kind=AlertType.SERVICE_DOWN)
    connection = open_database(tmp_path / "alerts.db")
    box = Outbox(connection, replace(RULES, console_url="https://console.example.org"))
    box.group_new()
    now_us = int((datetime.now(UTC).timestamp() + 10) * 1e6)
    for later_s in (0, 2 * outbox.COLLECT_S):
        box.post_due(now_us + later_s * US, lambda _: ["kept"])
    (delivery,) = box.due(now_us + 3 * outbox.COLLECT_S * US, "kept")
    connection.close()
    assert delivery.alert.notice is not None
    expected = "https://console.example.org" + page.format(delivery.alert.id)
    assert (groups, expected) == (delivery.alert.notice.groups, delivery.alert.notice.link)


def test_groups_that_nobody_looks_at_are_told_again(tmp_path: Path, start: StartDispatcher) -> None:
    """A reminder says the same group again with its count."""
    kept = _Kept()
    start(kept, DeliveryRules(RULES.grouping, reminder_s=0.5, give_up_after_s=100))
    _raise(tmp_path, "client", {"token_id": "t"})
    _wait_until(lambda: len(kept.alerts) > 1)
    first, second = kept.alerts[:2]
    assert (NoticeEvent.RAISED, NoticeEvent.REMINDER) == (first.notice.event, second.notice.event)  # type: ignore[union-attr]
    assert first.id == second.id
    assert first.notice.key != second.notice.key  # type: ignore[union-attr]


def test_routes_choose_by_type_severity_and_entity() -> None:
    """A channel that routes name gets what one of them takes; one that none names gets everything."""
    alert = Alert(
        type=AlertType.SECRET, description="x", service="s", severity=Severity.WARNING, entities=("PASSWORD", "JWT")
    )
    takes = Route(channels=["a"], types=[AlertType.SECRET], entities=["JWT"], min_severity=Severity.WARNING)
    others = [
        Route(channels=["b"], types=[AlertType.PERSONAL_DATA]),
        Route(channels=["c"], entities=["IBAN_CODE"]),
        Route(channels=["d"], min_severity=Severity.CRITICAL),
    ]
    assert ["a", "e"] == route_alert(alert, ["a", "b", "c", "d", "e"], [takes, *others])


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/", "scheme"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://169.254.169.254/", "not public"),
        ("https://2130706433/", "not public"),
        ("https://localhost/", "not public"),
        ("https://elsewhere.example/", "not allowed"),
        ("file:///etc/passwd", "scheme"),
    ],
)
def test_the_guard_lets_out_only_what_is_allowed(url: str, reason: str) -> None:
    """However an address is spelled, what the settings do not allow is not called."""
    hosts = frozenset({"127.0.0.1", "::1", "::ffff:10.0.0.1", "169.254.169.254", "2130706433", "localhost"})
    guard = EgressGuard(frozenset({"https"}), hosts, is_private_allowed=False, timeout_s=1)
    with pytest.raises(DeliveryFailed, match=reason):
        guard.post(url, b"{}", {})
