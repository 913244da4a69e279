"""A step repeats until it is cancelled, whatever it raises; background tasks have ended when their context has."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from vestibule.runtime.background import in_background, repeat


class Steps:
    """Runs prepared outcomes one after the other: a pause in seconds to return, or an error to raise."""

    def __init__(self, *outcomes: float | Exception) -> None:
        self._outcomes: Iterator[float | Exception] = iter(outcomes)
        self.has_ended = asyncio.Event()
        self.times: list[float] = []
        self.reported: list[str] = []

    async def step(self) -> float:
        """Return or raise the next outcome; after the last one, wait until cancelled."""
        self.times.append(time.monotonic())
        for outcome in self._outcomes:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        self.has_ended.set()
        return await asyncio.Event().wait()

    def report(self, error: Exception) -> None:
        """Keep the error's text."""
        self.reported.append(str(error))


async def test_a_step_sets_its_next_pause() -> None:
    """The first pause comes before the first run."""
    steps = Steps(0.05, 0.0)
    began = time.monotonic()
    async with asyncio.timeout(30), in_background(repeat(steps.step, on_error=steps.report, first_pause_s=0.03)):
        await steps.has_ended.wait()
    first, second, _ = steps.times
    assert first - began >= 0.025
    assert second - first >= 0.045
    assert [] == steps.reported


async def test_an_error_is_reported_once_until_a_step_succeeds() -> None:
    """An unexpected error during an outage is reported too, and each is followed by the error pause."""
    outcomes = (
        *(OSError("first outage"), OSError("same outage"), ValueError("bug"), ValueError("same bug"), OSError("same")),
        *(0.0, OSError("second outage"), 0.0),
    )
    steps = Steps(*outcomes)
    loop = repeat(steps.step, on_error=steps.report, outages=(OSError,), error_pause_s=0.02)
    async with asyncio.timeout(30), in_background(loop):
        await steps.has_ended.wait()
    assert ["first outage", "bug", "second outage"] == steps.reported
    assert all(after - before >= 0.015 for before, after in zip(steps.times[:5], steps.times[1:6], strict=True))


async def test_work_has_ended_when_its_context_has() -> None:
    """Also work that loses the first cancellation, and work that ended before."""
    ended: list[str] = []

    async def lose_a_cancellation() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("slow")

    async def end_early() -> None:
        ended.append("early")

    async with asyncio.timeout(30):
        async with in_background(lose_a_cancellation(), end_early()):
            await asyncio.sleep(0)
        assert ["early", "slow"] == ended


async def test_an_error_of_the_context_is_raised_after_the_end() -> None:
    """Background work is cancelled, and the error is not replaced."""
    steps = Steps()

    async def fail() -> None:
        async with in_background(repeat(steps.step, on_error=steps.report)):
            await steps.has_ended.wait()
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert {asyncio.current_task()} == asyncio.all_tasks()
