"""Turns: each holder begins one piece in each pass of the loop, and long work lets others run in between."""

import asyncio
from functools import partial

from vestibule.runtime.turns import ALONE_AFTER_S, PIECES_ALONE, SLICE, Turns, in_slices


async def test_who_asks_for_little_does_not_wait_behind_who_asked_for_much() -> None:
    """A hundred pieces of one holder wait; the one of another begins at once, and all begin in their order."""
    turns, begun = Turns(), list[str]()
    for number in range(100):
        turns.take("greedy", partial(begun.append, f"greedy {number}"))
    assert ["greedy 0"] == begun
    turns.take("neighbour", partial(begun.append, "neighbour 0"))
    turns.take("neighbour", partial(begun.append, "neighbour 1"))
    assert ["greedy 0", "neighbour 0"] == begun
    while len(begun) < 102:  # noqa: ASYNC110 - a pass of the loop is what is waited for
        await asyncio.sleep(0)
    assert begun.index("neighbour 1") < 5
    assert [f"greedy {number}" for number in range(100)] == [one for one in begun if one.startswith("greedy")]
    await asyncio.sleep(0)
    assert {} == turns._holders


async def test_a_holder_that_is_alone_begins_several_pieces_in_a_pass() -> None:
    """Until another one comes: then each begins one again."""
    now = 0.0
    turns, begun = Turns(lambda: now), list[str]()
    turns.take("first", partial(begun.append, "alone for a moment"))
    now = ALONE_AFTER_S
    await asyncio.sleep(0)
    for number in range(2 * PIECES_ALONE):
        turns.take("first", partial(begun.append, f"first {number}"))
    assert 1 + PIECES_ALONE == len(begun)
    turns.take("second", partial(begun.append, "second"))
    assert "second" == begun[-1]
    await asyncio.sleep(0)
    assert [f"first {PIECES_ALONE}"] == begun[2 + PIECES_ALONE :]


async def test_heavy_pieces_of_a_holder_have_rests_between_them_and_a_bound() -> None:
    """One at a time; too many that wait are refused, all others are done; another holder and light pieces go on."""
    turns, done, may_end = Turns(), list[str](), asyncio.Event()
    assert [True] * 4 == [turns.take_heavy("greedy", partial(done.append, f"{number}"), 3) for number in range(4)]
    assert not turns.take_heavy("greedy", may_end.set, 3)
    assert turns.take_heavy("neighbour", partial(done.append, "neighbour"), 3)
    await asyncio.sleep(0)
    turns.take("greedy", partial(done.append, "light"))
    await asyncio.sleep(0)
    assert {"0", "neighbour", "light"} <= set(done)
    assert turns.take_heavy("greedy", may_end.set, 4)
    await asyncio.wait_for(may_end.wait(), 30)
    assert ["0", "1", "2", "3"] == [one for one in done if one.isdigit()]


async def test_it_is_known_how_long_the_first_have_waited() -> None:
    """There are at least so many, and the last of them came then."""
    turns = Turns()
    for _ in range(4):
        turns.take("greedy", list)
    assert (None, None) == (turns.waiting_since("greedy", 4), turns.waiting_since("neighbour", 1))
    since = turns.waiting_since("greedy", 3)
    assert since is not None
    assert since <= turns.clock()


async def test_long_work_lets_others_run_between_its_slices() -> None:
    """Whoever is ready runs as often as there are whole slices."""
    served = 0

    async def serve_others() -> None:
        nonlocal served
        while True:
            served += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(serve_others())
    assert list(range(4 * SLICE)) == [one async for one in in_slices(range(4 * SLICE))]
    others.cancel()
    assert served >= 4
