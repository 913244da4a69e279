"""Answers that are written while the body of their request still comes in, in constant memory.

Each side waits for the other: a caller that does not read is not read from, and nothing is kept for it. A caller that
sends slower than the server accepts of any body is cut off as with any other (`connections.py`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import NamedTuple

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# A caller that reads nothing for so long is cut off: it may wait for its own sending, which waits for it.
MOST_UNREAD_S = 60.0


class BodyLine(NamedTuple):
    """A line of a body, with its number counted from 1; without its end, and None where it is longer than allowed."""

    number: int
    content: bytes | None


class BodyLines:
    """Reads the lines of a body as they arrive, and keeps at most one line that is not complete yet."""

    def __init__(self, request: Request, most_bytes: int) -> None:
        """Take the request, and how long a line may be."""
        self._chunks = request.stream()
        self._most_bytes = most_bytes
        self._number = 0
        self._rest = bytearray()
        self._is_too_long = False

    async def arrivals(self) -> AsyncIterator[list[BodyLine]]:
        """Yield the lines that have arrived meanwhile, again and again, until the body ends."""
        async for chunk in self._chunks:
            *ends, rest = chunk.split(b"\n")
            complete = [self._take(end) for end in ends]
            self._extend(rest)
            if complete:
                yield complete
        if self._rest or self._is_too_long:
            yield [self._take(b"")]

    def _extend(self, piece: bytes) -> None:
        self._is_too_long = self._is_too_long or len(self._rest) + len(piece) > self._most_bytes
        if self._is_too_long:
            self._rest.clear()
        else:
            self._rest += piece

    def _take(self, end: bytes) -> BodyLine:
        self._extend(end)
        self._number += 1
        line = BodyLine(self._number, None if self._is_too_long else bytes(self._rest))
        self._rest.clear()
        self._is_too_long = False
        return line


class DuplexResponse(Response):
    """A response of pieces that are made from the body of the request, which is read meanwhile.

    The framework's own streaming response would read the body itself, to notice a caller that leaves.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], media_type: str, held: AsyncExitStack) -> None:
        """Take the pieces, which raise what `Request.stream` raises where the caller leaves.

        `held` is closed at the end.
        """
        # Proxies on the way must not collect the answers.
        super().__init__(None, headers={"X-Accel-Buffering": "no"}, media_type=media_type)
        del self.headers["content-length"]
        self._pieces, self._held = pieces, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces as they are made, until they end or the caller leaves or stops to read."""
        del scope, receive
        async with self._held, aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                async for piece in pieces:
                    async with asyncio.timeout(MOST_UNREAD_S):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            except (ClientDisconnect, HTTPException, TimeoutError):
                # The server closes the connection of an answer that is not complete, so that nobody takes it for one.
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
