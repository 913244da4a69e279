"""A test of a channel is answered in time, in words that hold no address, and not again at once."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from servers.receivers import HttpReceiver, running
from vestibule.alerts import AlertSettings
from vestibule.alerts.channel_tests import PAUSE_S, ChannelTester
from vestibule.contracts.errors import ChannelNotFound, TooManyTests


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _tester(folder: Path, url: str, clock: Callable[[], float], **options: Any) -> ChannelTester:
    settings = AlertSettings(
        data_dir=folder,
        alert_channels=["webhook", "log"],
        alert_egress_schemes=["http"],
        alert_egress_private=True,
        alert_webhook_url=url,
        alert_webhook_secret=SecretStr("the-key"),
        console_url="https://console.example.org/",
    )
    return ChannelTester(settings, clock=clock, **options)


async def test_the_answer_says_how_it_went(tmp_path: Path) -> None:
    """Delivered, or why not; one that was just tested has to wait, and one that is not configured is not found."""
    clock = _Clock()
    with running(HttpReceiver()) as server:
        tester = _tester(tmp_path, server.url("/path-of-a-secret"), clock)
        assert None is (await tester.test("webhook", "client")).error
        assert ["Test"] == [one.json["type"] for one in server.posted]
        assert "https://console.example.org/alerts/channels" == server.posted[0].json["link"]
        with pytest.raises(TooManyTests):
            await tester.test("webhook", "client")
        assert None is (await tester.test("log", "client")).error
    clock.now_s += PAUSE_S
    failed = await tester.test("webhook", "client")
    assert failed.error
    assert "path-of-a-secret" not in failed.error
    with pytest.raises(ChannelNotFound):
        await tester.test("email", "client")


async def _once_there_is_room(tester: ChannelTester) -> str | None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return (await tester.test("log", "client")).error
        except TooManyTests:
            assert time.monotonic() < deadline
            await asyncio.to_thread(threading.Event().wait, 0.02)


async def test_a_channel_that_hangs_is_answered_for(tmp_path: Path) -> None:
    """The answer comes in time; two that hang leave no room for a third until one of them ends."""
    clock, may_answer = _Clock(), threading.Event()

    def hang(_: Any) -> Any:
        may_answer.wait(60)
        return answer(_)

    with running(HttpReceiver()) as server:
        answer, server.answer = server.answer, hang
        tester = _tester(tmp_path, server.url("/hook"), clock, answer_within_s=0.2)
        for _ in range(2):
            assert "no answer in time" == (await tester.test("webhook", "client")).error
            clock.now_s += PAUSE_S
        with pytest.raises(TooManyTests):
            await tester.test("log", "client")
        may_answer.set()
        assert None is await _once_there_is_room(tester)
