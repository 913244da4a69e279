"""An alert reaches every channel that works, whatever the others do."""

import asyncio
import errno
import threading

from vestibule.alerts import DEFAULT_SEVERITY, Alert, AlertEngine, AlertType, Severity
from vestibule.alerts.alert import new_alert_id


class _Kept:
    """A channel that keeps what it gets."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.threads: set[int] = set()

    def deliver(self, alert: Alert) -> None:
        self.threads.add(threading.get_ident())
        self.alerts.append(alert)


class _Full:
    """A channel whose disk is full."""

    def deliver(self, alert: Alert) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


class _Slow(_Kept):
    """A channel that takes as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def deliver(self, alert: Alert) -> None:
        self.has_begun.set()
        assert self.may_end.wait(60), "the event loop was held up"
        super().deliver(alert)


def test_every_type_has_a_severity() -> None:
    """A new type of alert cannot be forgotten in the table of severities."""
    assert set(AlertType) == set(DEFAULT_SEVERITY)


async def test_an_alert_says_what_happened_to_whom() -> None:
    """What is raised is what the channels get, with service, severity, id and time."""
    kept = _Kept()
    engine = AlertEngine("client", {"kept": kept}, lambda *_: None)
    alert = await engine.raise_alert(
        AlertType.SECRET, "It.", entities=["PASSWORD"], fingerprint="f", request_id="r", token_id="t"
    )
    assert [alert] == kept.alerts
    assert ("client", Severity.CRITICAL, ("PASSWORD",), "f", "r", "t", 1) == (
        alert.service,
        alert.severity,
        alert.entities,
        alert.fingerprint,
        alert.request_id,
        alert.token_id,
        alert.count,
    )
    assert alert.time.tzinfo is not None


async def test_a_channel_that_fails_stops_nobody() -> None:
    """The others get the alert, the caller gets no error, and the failure is told by name."""
    kept, failures = _Kept(), []
    engine = AlertEngine(
        "client", {"full": _Full(), "kept": kept}, lambda name, error: failures.append((name, error.errno))
    )
    alert = await engine.raise_alert(AlertType.INVALID_INPUT, "It.")
    assert ([alert], [("full", errno.ENOSPC)]) == (kept.alerts, failures)


async def test_a_slow_channel_does_not_hold_up_the_event_loop() -> None:
    """Other requests are served while an alert is written."""
    slow = _Slow()
    engine = AlertEngine("client", {"slow": slow}, lambda *_: None)
    raising = asyncio.create_task(engine.raise_alert(AlertType.INVALID_INPUT, "It."))
    assert await asyncio.to_thread(slow.has_begun.wait, 60)
    assert not raising.done()
    slow.may_end.set()
    assert [await raising] == slow.alerts
    assert threading.get_ident() not in slow.threads


def test_ids_of_alerts_differ() -> None:
    """16 hexadecimal digits that nobody can guess."""
    ids = {new_alert_id() for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(16 == len(made) and int(made, 16) >= 0 for made in ids)
