"""The sweeper goes on after a failed sweep, and rests between the pieces of a long one."""

import asyncio

from vestibule.contracts.errors import Unavailable
from vestibule.database_service.maintenance.jobs import SWEPT_AT_ONCE, Sweeper


class _Target:
    """Fails twice, then has nothing to remove."""

    def __init__(self) -> None:
        self.errors: list[Exception] = [RuntimeError("a bug"), Unavailable("database", "It does not answer.")]
        self.was_swept = asyncio.Event()

    async def sweep(self, limit: int) -> int:
        """Raise the next error, or remove nothing."""
        assert limit > 0
        if self.errors:
            raise self.errors.pop()
        self.was_swept.set()
        return 0


async def test_a_failed_sweep_does_not_end_the_sweeping() -> None:
    """Neither an unavailable store nor an unexpected error does."""
    target = _Target()
    async with asyncio.timeout(30), Sweeper([target], 0.01).running():
        await target.was_swept.wait()
    assert [] == target.errors


async def test_a_long_sweep_is_done_in_pieces_with_rests_between() -> None:
    """Each piece of what ended at once has the bound, and all but the last are followed by a rest."""
    left, steps = 5 * SWEPT_AT_ONCE + 3, list[str]()

    async def rest(seconds: float) -> None:
        assert seconds > 0
        steps.append("rest")
        await asyncio.sleep(0)

    class Ended:
        async def sweep(self, limit: int) -> int:
            nonlocal left
            removed = min(left, limit)
            left -= removed
            steps.append(f"{removed}")
            await asyncio.sleep(0)
            return removed

    assert 5 * SWEPT_AT_ONCE + 3 == await Sweeper([Ended()], 10, rest).sweep()
    assert [f"{SWEPT_AT_ONCE}", "rest"] * 5 + ["3"] == steps
