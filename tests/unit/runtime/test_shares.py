"""Shares: each holder has its own, and those that it cannot use wait."""

import asyncio

import pytest

from vestibule.contracts.errors import TooManyWaiting
from vestibule.runtime.shares import Shares


async def test_a_holder_uses_no_more_than_its_share_and_others_are_not_delayed() -> None:
    """Two of one holder run, the third waits for one of them to end; another holder runs at once."""
    shares, may_end, running = Shares(2), asyncio.Event(), list[str]()

    async def work(holder: str) -> None:
        async with shares.of(holder):
            running.append(holder)
            await may_end.wait()

    tasks = [asyncio.create_task(work(holder)) for holder in "aaab"]
    while len(running) < 3:  # noqa: ASYNC110 - they begin one after the other
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert ["a", "a", "b"] == running
    may_end.set()
    await asyncio.gather(*tasks)
    assert 4 == len(running)
    assert {} == shares._held


async def test_who_no_longer_waits_takes_nothing() -> None:
    """A cancelled wait leaves the share as it was."""
    shares = Shares(1)
    async with shares.of("a"):
        waiting = asyncio.create_task(shares.of("a").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    async with asyncio.timeout(10), shares.of("a"):
        pass
    assert {} == shares._held


async def test_more_than_may_wait_are_refused_and_those_that_wait_are_served() -> None:
    """One runs, two wait, and the fourth is refused; another holder is not, and afterwards there is room again."""
    shares, may_end, served = Shares(1), asyncio.Event(), 0

    async def work(holder: str) -> None:
        nonlocal served
        async with shares.of(holder, 2):
            await may_end.wait()
            served += 1

    accepted = [asyncio.create_task(work(holder)) for holder in "aaab"]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting):
        await work("a")
    may_end.set()
    await asyncio.gather(*accepted)
    await work("a")
    assert (5, {}) == (served, shares._held)
