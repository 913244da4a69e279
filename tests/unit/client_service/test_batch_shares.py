"""Batches of one token wait for each other, so that they leave the database service to other tokens."""

import asyncio
from types import SimpleNamespace
from typing import Any

from vestibule.client_service.api.entries import add_entries, read_entries
from vestibule.contracts.entries import BatchPair, EntryBatch, ReadBatch, WriteBatch
from vestibule.runtime.shares import Shares


async def test_batches_of_a_token_are_served_one_after_the_other() -> None:
    """Reads and writes alike; another token does not wait."""
    running: list[str] = []
    most = 0

    async def serve(*_arguments: Any) -> Any:
        nonlocal most
        running.append("one")
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.pop()
        return EntryBatch(entries=[])

    async def write(*_arguments: Any) -> Any:
        await serve()
        return []

    entries: Any = SimpleNamespace(read_batch=serve)
    wiring: Any = SimpleNamespace(batches=Shares(1), intake=SimpleNamespace(add_batch=write))
    caller: Any = SimpleNamespace(token_id="a")
    other: Any = SimpleNamespace(token_id="b")
    read, pairs = ReadBatch(keys=["k"]), WriteBatch(pairs=[BatchPair(key="k", value="v")])
    of_one = [read_entries(read, entries, wiring, caller), add_entries(pairs, wiring, caller)]
    await asyncio.gather(*of_one, *(read_entries(read, entries, wiring, caller) for _ in range(4)))
    assert 1 == most
    await asyncio.gather(*(read_entries(read, entries, wiring, one) for one in (caller, other)))
    assert 2 == most
