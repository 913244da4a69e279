"""Tests of channels: a notification that is sent now, in bounded time, and what the channel says of it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from vestibule.alerts.alert import Alert, AlertType, Notice, NoticeEvent, Severity
from vestibule.alerts.builder import list_channels
from vestibule.alerts.channel import ChannelKind
from vestibule.alerts.settings import AlertSettings, Route
from vestibule.contracts.errors import ChannelNotFound, TooManyTests
from vestibule.egress.guard import DeliveryFailed

PAUSE_S = 10.0
AT_ONCE = 2
# Longer than one connection may take; a mail server is asked several times.
ANSWER_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class ChannelTest:
    """The outcome of a test: the id of the test alert, and why it was not delivered, None if it was."""

    channel: str
    alert_id: str
    error: str | None
    took_s: float


class ChannelTester:
    """Sends test notifications through the configured channels. What hangs holds up no other work of the service."""

    def __init__(
        self,
        settings: AlertSettings,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._answer_within_s = answer_within_s
        self._clock = clock
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="channel-test")
        self._under_way = 0
        self._tested_at: dict[str, float] = {}

    @property
    def channels(self) -> dict[str, ChannelKind]:
        """The configured channels, by name, in the order of the settings."""
        known = list_channels()
        return {name: known[name] for name in self._settings.alert_channels}

    @property
    def routes(self) -> Sequence[Route]:
        """The configured routes of notifications."""
        return self._settings.alert_routes

    async def test(self, name: str, service: str) -> ChannelTest:
        """Send a test notification in the name of a service, and return how it ended.

        Raises:
            ChannelNotFound: no channel of that name is configured.
            TooManyTests: the channel was tested a moment ago, or others are being tested.
        """
        kind = self.channels.get(name)
        if kind is None:
            raise ChannelNotFound("No channel of that name is configured; `GET /channels` lists them.")
        began = self._clock()
        if self._under_way >= AT_ONCE or began - self._tested_at.get(name, -PAUSE_S) < PAUSE_S:
            raise TooManyTests("This channel was tested a moment ago, or others are being tested; retry later.")
        self._tested_at[name] = began
        alert = self._alert(service)
        self._under_way += 1
        sending = asyncio.get_running_loop().run_in_executor(self._threads, self._send, kind, alert)
        sending.add_done_callback(self._end)
        try:
            # It cannot be ended from here; until it ends by itself, it takes up one of the tests at once.
            error = await asyncio.wait_for(asyncio.shield(sending), self._answer_within_s)
        except TimeoutError:
            error = "no answer in time"
        return ChannelTest(name, alert.id, error, round(self._clock() - began, 3))

    def _end(self, _: "asyncio.Future[str | None]") -> None:
        self._under_way -= 1

    def _alert(self, service: str) -> Alert:
        alert = Alert(
            type=AlertType.TEST, description="A test of this channel.", service=service, severity=Severity.INFO
        )
        replica, link = self._settings.replica, self._settings.link_to("/alerts/channels")
        notice = Notice(alert.id, NoticeEvent.RAISED, alert.id, alert.time, alert.time, 1, replica, link)
        return replace(alert, notice=notice)

    def _send(self, kind: ChannelKind, alert: Alert) -> str | None:
        """Return why the channel did not take it, in words that hold no address and no secret."""
        try:
            kind.build(self._settings).deliver(alert)
        except DeliveryFailed as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a channel may fail in any way; other texts may hold an address
            return type(error).__name__
        return None
