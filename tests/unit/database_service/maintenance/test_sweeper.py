"""The sweeper goes on after a failed sweep."""

import asyncio

from vestibule.contracts.errors import Unavailable
from vestibule.database_service.maintenance.jobs import Sweeper


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
