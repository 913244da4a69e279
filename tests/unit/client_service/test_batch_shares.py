"""Batches and erasures of one token wait for each other, so that they leave the services to other tokens."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from vestibule.client_service.api.entries import add_entries, read_entries
from vestibule.client_service.api.screening import ScanRequest, scan_text
from vestibule.client_service.api.subjects import Subject, erase_subject
from vestibule.client_service.api.wiring import MOST_WAITING
from vestibule.contracts.entries import BatchPair, EntryBatch, ReadBatch, WriteBatch
from vestibule.contracts.errors import TooManyWaiting
from vestibule.runtime.shares import Shares
from vestibule.service_kit.problems import render_error


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


async def test_batches_that_wait_are_bounded_and_none_of_those_is_lost() -> None:
    """Of one token's 20 batches one runs, 16 wait, and the rest get a 429 at once; another token is served."""
    may_end, written = asyncio.Event(), 0

    async def write(*_arguments: Any) -> list[Any]:
        nonlocal written
        await may_end.wait()
        written += 1
        return []

    wiring: Any = SimpleNamespace(batches=Shares(1), intake=SimpleNamespace(add_batch=write))
    sender, other = SimpleNamespace(token_id="a"), SimpleNamespace(token_id="b")
    pairs = WriteBatch(pairs=[BatchPair(key="k", value="v")])
    sent = [asyncio.create_task(add_entries(pairs, wiring, sender)) for _ in range(20)]  # type: ignore[arg-type]
    refused, _ = await asyncio.wait(sent, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    refusals = [task.exception() for task in refused]
    assert 20 - 1 - MOST_WAITING == len(refusals)
    for refusal in refusals:
        assert isinstance(refusal, TooManyWaiting)
        answer = render_error(refusal, "id")
        assert (429, "1") == (answer.status_code, answer.headers["retry-after"])
    may_end.set()
    await add_entries(pairs, wiring, other)  # type: ignore[arg-type]
    await asyncio.gather(*(set(sent) - refused))
    assert 1 + MOST_WAITING + 1 == written


async def test_lists_of_texts_and_erasures_have_the_same_bound() -> None:
    """One more than may wait is refused before anything of it is done."""
    shares = Shares(1)
    wiring: Any = SimpleNamespace(batches=shares, erasures=shares, screener=None, erasure=None)
    caller: Any = SimpleNamespace(token_id="a", principal=None)
    async with shares.of("a"):
        waiting = [asyncio.create_task(shares.of("a").__aenter__()) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaiting):
            await scan_text(ScanRequest(texts=["x"]), wiring, caller)
        with pytest.raises(TooManyWaiting):
            await erase_subject(Subject(value="jane@example.org"), wiring, caller)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
