"""Batches and erasures of one token wait for each other, so that they leave the services to other tokens."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import Response

from vestibule.client_service.api.decisions import list_decisions
from vestibule.client_service.api.entries import add_entries, read_entries
from vestibule.client_service.api.scanning.scan import ScanRequest, scan_text
from vestibule.client_service.api.subjects import Subject, erase_subject
from vestibule.client_service.api.tasks import list_dead_tasks, list_tasks
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
    caller: Any = SimpleNamespace(token_id="a", wants_receipt=False)
    other: Any = SimpleNamespace(token_id="b")
    read, pairs = ReadBatch(keys=["k"]), WriteBatch(pairs=[BatchPair(key="k", value="v")])
    of_one = [read_entries(read, entries, wiring, caller), add_entries(pairs, wiring, caller, Response())]
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
    sender, other = (SimpleNamespace(token_id=name, wants_receipt=False) for name in "ab")
    pairs = WriteBatch(pairs=[BatchPair(key="k", value="v")])
    sent = [asyncio.create_task(add_entries(pairs, wiring, sender, Response())) for _ in range(20)]  # type: ignore[arg-type]
    refused, _ = await asyncio.wait(sent, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    refusals = [task.exception() for task in refused]
    assert 20 - 1 - MOST_WAITING == len(refusals)
    for refusal in refusals:
        assert isinstance(refusal, TooManyWaiting)
        answer = render_error(refusal, "id")
        assert (429, "1") == (answer.status_code, answer.headers["retry-after"])
    may_end.set()
    await add_entries(pairs, wiring, other, Response())  # type: ignore[arg-type]
    await asyncio.gather(*(set(sent) - refused))
    assert 1 + MOST_WAITING + 1 == written


async def test_lists_of_texts_and_erasures_have_the_same_bound() -> None:
    """One more than may wait is refused before anything of it is done."""
    shares = Shares(1)
    scanner = SimpleNamespace(entities=frozenset(), narrowed=lambda *_: SimpleNamespace(scan=None))
    screener = SimpleNamespace(scanner=scanner)
    wiring: Any = SimpleNamespace(batches=shares, erasures=shares, screener=screener, erasure=None)
    caller: Any = SimpleNamespace(token_id="a", name="a", tenant="t", principal=None)
    http: Any = SimpleNamespace(scope={"query_string": b""})
    async with shares.of("a"):
        waiting = [asyncio.create_task(shares.of("a").__aenter__()) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWaiting):
            await scan_text(ScanRequest(texts=["x"]), wiring, caller, http)
        with pytest.raises(TooManyWaiting):
            await erase_subject(Subject(value="jane@example.org"), wiring, caller)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_pages_of_tasks_and_decisions_are_made_one_after_the_other() -> None:
    """A page of a thousand keeps the services busy for so long that many at once would leave no time for others."""
    running, most = 0, 0

    async def page(*_arguments: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    service = SimpleNamespace(page=page)
    shares = {"listings": Shares(1), "listings_of_tenants": Shares(2)}
    wiring: Any = SimpleNamespace(**shares, task_service=service, decisions=service)
    caller: Any = SimpleNamespace(token_id="a", tenant="t")
    other: Any = SimpleNamespace(token_id="b", tenant="t")
    third: Any = SimpleNamespace(token_id="c", tenant="t")
    seen: Any = SimpleNamespace(tenants={"t"})

    def all_of(one: Any) -> list[Any]:
        decided = list_decisions(wiring=wiring, caller=one, visibility=seen)
        return [list_tasks(wiring, one), list_dead_tasks(wiring, one), decided]

    await asyncio.gather(*all_of(caller), *all_of(caller))
    assert 1 == most
    # However many tokens a tenant has, it has two at a time; another tenant does not wait for them.
    await asyncio.gather(*all_of(caller), *all_of(other), *all_of(third))
    assert 2 == most
    await asyncio.gather(*all_of(caller), *all_of(other), *all_of(SimpleNamespace(token_id="d", tenant="u")))
    assert 3 == most
