"""Answers that are written while their body comes in: in order, in constant memory, and not for who does not read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from vestibule.service_kit.http import duplex
from vestibule.service_kit.http.duplex import BodyLine, BodyLines, DuplexResponse


class _Body:
    """The body of a request in pieces; it counts those that were asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.read = pieces, 0

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the pieces, and then nothing, as requests do."""
        for piece in [*self.pieces, b""]:
            self.read += 1
            yield piece


async def _lines(most: int, *pieces: bytes) -> list[BodyLine]:
    body: Any = _Body(*pieces)
    return [line async for some in BodyLines(body, most).arrivals() for line in some]


async def test_lines_are_those_of_the_body_however_it_arrives() -> None:
    """The last one needs no end, blank ones count, and one that is too long is None until its end."""
    assert [(1, b"ab"), (2, b""), (3, b"c")] == await _lines(2, b"a", b"b\n\nc")
    assert [(1, b"ab")] == await _lines(2, b"ab\n")
    assert [(1, None), (2, b"d")] == await _lines(2, b"ab", b"c", b"x\nd")
    assert [(1, None)] == await _lines(2, b"abc")
    assert [] == await _lines(2)


async def _upper(body: _Body) -> AsyncGenerator[bytes, None]:
    async for piece in body.stream():
        if piece:
            yield piece.upper()


def _response(body: _Body, ended: list[str]) -> DuplexResponse:
    held = AsyncExitStack()
    held.callback(ended.append, "ended")
    return DuplexResponse(_upper(body), "text/plain", held)


async def test_nothing_is_read_while_the_caller_does_not_read() -> None:
    """Of many pieces one is under way, whatever the length of the body."""
    body, may_go, sent, ended = _Body(*[b"a"] * 1000), asyncio.Event(), [], []  # type: ignore[var-annotated]

    async def send(message: Any) -> None:
        sent.append(message.get("body"))
        if message.get("body"):
            await may_go.wait()

    answering = asyncio.create_task(_response(body, ended)({}, None, send))  # type: ignore[arg-type]
    for _ in range(50):
        await asyncio.sleep(0)
    assert (1, [None, b"A"], []) == (body.read, sent, ended)
    may_go.set()
    await answering
    assert (1001, 1002, ["ended"]) == (body.read, len(sent), ended)


async def test_who_stops_to_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is not completed, so that the server closes the connection, and what it held is free."""
    monkeypatch.setattr(duplex, "MOST_UNREAD_S", 0.01)
    sent, ended = [], []  # type: ignore[var-annotated]

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            await asyncio.Event().wait()

    await _response(_Body(b"a"), ended)({}, None, send)  # type: ignore[arg-type]
    assert [True] == [one["more_body"] for one in sent[1:]]
    assert ["ended"] == ended


async def test_a_caller_that_leaves_ends_the_answer_silently() -> None:
    """The frame says so by an error of the body."""
    sent, ended = [], []  # type: ignore[var-annotated]

    class _Gone(_Body):
        async def stream(self) -> AsyncIterator[bytes]:
            yield b"a"
            raise HTTPException(408)

    async def send(message: Any) -> None:
        sent.append(message)

    await _response(_Gone(), ended)({}, None, send)  # type: ignore[arg-type]
    assert [b"A"] == [one["body"] for one in sent[1:]]
    assert ["ended"] == ended
