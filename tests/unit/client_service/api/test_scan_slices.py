"""A stream of texts takes its turns among the batches of its token, and holds none while it waits."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from vestibule.client_service.api.scanning import streams
from vestibule.client_service.api.scanning.streams import StreamedScan
from vestibule.contracts.errors import ScanImpossible
from vestibule.runtime.shares import Shares


def _scan(shares: Shares, token_id: str = "a") -> StreamedScan[int]:
    async def answer(number: int, _place: Any) -> dict[str, Any]:
        if number < 0:
            raise ScanImpossible("The scan did not finish.")
        return {"findings": []}

    wiring: Any = SimpleNamespace(batches=shares)
    caller: Any = SimpleNamespace(token_id=token_id)
    return StreamedScan(wiring, caller, "1", lambda number: {"line": number}, answer)


async def _arriving(*records: list[int]) -> AsyncIterator[list[int]]:
    for some in records:
        yield some


async def test_a_batch_has_its_turn_between_two_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for the end of the stream."""
    monkeypatch.setattr(streams, "SLICE_S", 0.0)
    shares, done, seen = Shares(1), 0, []

    async def batch() -> None:
        async with shares.of("a"):
            seen.append(done)

    waiting: asyncio.Task[None] | None = None
    async for _ in _scan(shares).pieces(_arriving(list(range(100)))):
        done += 1
        waiting = waiting or asyncio.create_task(batch())
    assert waiting is not None
    await waiting
    assert 100 == done
    assert seen[0] < 5


async def test_nothing_is_held_while_the_body_is_awaited() -> None:
    """A caller that sends nothing keeps no batch of its token from being served."""
    shares, may_go = Shares(1), asyncio.Event()

    async def slow() -> AsyncIterator[list[int]]:
        yield [1]
        await may_go.wait()
        yield [2]

    pieces = _scan(shares).pieces(slow())
    assert {"line": 1, "findings": []} == orjson.loads(await anext(pieces))
    resumed = asyncio.create_task(anext(pieces))  # type: ignore[arg-type]
    async with asyncio.timeout(5), shares.of("a"):
        may_go.set()
    assert {"line": 2, "findings": []} == orjson.loads(await resumed)


async def test_a_record_that_cannot_be_scanned_is_answered_by_its_problem() -> None:
    """The problem names the request, and the records around it are answered."""
    lines = b"".join([piece async for piece in _scan(Shares(1)).pieces(_arriving([1, -2, 3]))]).splitlines()
    answers = [orjson.loads(line) for line in lines]
    assert [1, -2, 3] == [answer["line"] for answer in answers]
    assert ("/problems/scan-timeout", "urn:request:1") == tuple(
        answers[1]["problem"][name] for name in ("type", "instance")
    )
