"""Many calls for one thing each become few calls for many."""

import asyncio

import pytest

from vestibule.contracts.errors import TooLarge, Unavailable
from vestibule.runtime.batching import Batcher, json_bytes


class Calls:
    """Answers with the double of each item, and remembers what came together."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.may_go_on = asyncio.Event()

    async def double(self, items: list[int]) -> list[int]:
        """Return the doubles, once it may."""
        self.made.append(items)
        await self.may_go_on.wait()
        if 13 in items:
            raise ValueError(13)
        return [item * 2 for item in items]


async def test_what_arrives_meanwhile_goes_together() -> None:
    """A lone one goes at once; the rest waits for it and shares calls within the bounds; each gets its own outcome."""
    calls = Calls()
    batcher = Batcher(calls.double, most=4, weigh=lambda item: item, heaviest=10, at_once=1)
    asking = [asyncio.create_task(batcher.submit(item)) for item in (1, 2, 3, 4, 5, 50, 1, 1, 1, 1, 1)]
    await asyncio.sleep(0)
    calls.may_go_on.set()
    assert [2, 4, 6, 8, 10, 100, 2, 2, 2, 2, 2] == await asyncio.gather(*asking)
    assert [[1], [2, 3, 4], [5], [50], [1, 1, 1, 1], [1]] == calls.made


async def test_an_error_is_one_of_its_item_alone() -> None:
    """It is the error of the item that causes it alone; who left before hinders nobody."""
    calls = Calls()
    batcher = Batcher(calls.double, most=2, weigh=lambda _item: 0, heaviest=1, at_once=1)
    asking = [asyncio.create_task(batcher.submit(item)) for item in (1, 13, 2, 3, 4)]
    await asyncio.sleep(0)
    asking[3].cancel()
    calls.may_go_on.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [2, 4, 8] == [outcomes[0], outcomes[2], outcomes[4]]
    assert ["ValueError", "CancelledError"] == [type(outcomes[place]).__name__ for place in (1, 3)]
    with pytest.raises(ValueError, match="13"):
        raise outcomes[1]  # type: ignore[misc]


async def test_what_is_too_large_together_goes_singly() -> None:
    """Where a call is refused for its size, only the item that is too large by itself fails."""

    async def halve(items: list[int]) -> list[int]:
        await asyncio.sleep(0)
        if sum(items) > 10:
            raise TooLarge("too large")
        return [item // 2 for item in items]

    batcher = Batcher(halve, most=4, at_once=1)
    outcomes = await asyncio.gather(*(batcher.submit(item) for item in (2, 4, 12, 8, 6)), return_exceptions=True)
    assert [1, 2, 4, 3] == [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert isinstance(outcomes[2], TooLarge)


@pytest.mark.parametrize(("text", "size"), [("", 2), ("ab", 4), ("\x01" * 5, 32), ("é", 4), ('"', 4)])
def test_a_text_weighs_what_it_takes_as_json(text: str, size: int) -> None:
    """In bytes, with its quotes."""
    assert size == json_bytes(text)


async def test_nobody_waits_for_two_silences() -> None:
    """Where a call fails after long, what waits for its turn fails with it; after a quick failure the next is tried."""
    for timeout_s, expected in ((0.0, [[1]]), (60.0, [[1], [2, 3]])):
        made: list[list[int]] = []

        async def fail(items: list[int], made: list[list[int]] = made) -> list[int]:
            made.append(items)
            await asyncio.sleep(0)
            raise Unavailable("database", "It does not answer.")

        batcher = Batcher(fail, most=4, weigh=lambda _: 0, heaviest=1, at_once=1, timeout_s=timeout_s)
        outcomes = await asyncio.gather(*(batcher.submit(item) for item in (1, 2, 3)), return_exceptions=True)
        assert expected == made
        assert ["Unavailable"] * 3 == [type(one).__name__ for one in outcomes]


async def test_items_that_arrive_together_share_a_call() -> None:
    """Each has its outcome or its error, and draining waits for all of them."""
    made: list[list[int]] = []

    async def halve(items: list[int]) -> list[int | Exception]:
        made.append(items)
        await asyncio.sleep(0)
        return [ValueError(item) if item % 2 else item // 2 for item in items]

    batcher = Batcher(halve, most=3, at_once=1)
    together = asyncio.create_task(batcher.submit_all([2, 3, 4, 6]))
    await asyncio.sleep(0)
    alone = asyncio.create_task(batcher.submit(5))
    await asyncio.sleep(0)
    await batcher.drain()
    assert [[2, 3, 4], [6, 5]] == made
    assert [1, "3", 2, 3] == [str(one) if isinstance(one, ValueError) else one for one in await together]
    with pytest.raises(ValueError, match="5"):
        await alone
