"""Streams of texts to scan: each record of the body is answered by one line of JSON, in order, while others arrive."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from fastapi import Request

from vestibule.client_service.api.wiring import ClientWiring
from vestibule.contracts.errors import UnsupportedMediaType, VestibuleError
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.http.duplex import DuplexResponse
from vestibule.service_kit.problems import document_of
from vestibule.service_kit.wiring import wiring_of

NDJSON, CSV = "application/x-ndjson", "text/csv"
# A line of NDJSON, or a row of CSV.
MAX_RECORD_BYTES = 4 * 1024 * 1024
# A slice of the work, after which the event loop and other batches of the token have their turn.
SLICE_S = 0.002
SLICE_BYTES = 64 * 1024

Record = TypeVar("Record")
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamedScan(Generic[Record]):
    """Answers records by lines of JSON.

    `place` makes the members that name a record, and `answer` those about it; it may add to the first.
    """

    wiring: ClientWiring
    caller: Caller
    request_id: str
    place: Callable[[Record], Answer]
    answer: Callable[[Record, Answer], Awaitable[Answer]]

    async def pieces(self, arrivals: AsyncIterator[Sequence[Record]]) -> AsyncGenerator[bytes, None]:
        """Yield the answers to what arrives, as soon as there are some.

        The share of the token in batches is held for a slice at a time, and not while the body or the caller is slow.
        """
        async for records in arrivals:
            done = 0
            while done < len(records):
                async with self.wiring.batches.of(self.caller.token_id):
                    lines = await self._slice(records, done)
                done += len(lines)
                yield b"".join(lines)
                await asyncio.sleep(0)

    async def _slice(self, records: Sequence[Record], first: int) -> list[bytes]:
        lines: list[bytes] = []
        size, ends_at = 0, time.monotonic() + SLICE_S
        for number in range(first, len(records)):
            lines.append(await self._line(records[number]))
            size += len(lines[-1])
            if size >= SLICE_BYTES or time.monotonic() >= ends_at:
                break
        return lines

    async def _line(self, record: Record) -> bytes:
        place = self.place(record)
        try:
            members = await self.answer(record, place)
        except VestibuleError as error:
            members = {"problem": document_of(error, self.request_id)}
        return orjson.dumps(place | members) + b"\n"


@asynccontextmanager
async def opened_stream(request: Request) -> AsyncIterator[tuple[ClientWiring, Caller, AsyncExitStack]]:
    """Hold one of the streams of the caller's token; whoever takes it over from the stack ends it.

    Raises:
        TooManyWaiting: the token has as many streams as it may.
        UnsupportedMediaType: the body is not in UTF-8.
    """
    wiring, caller = wiring_of(request, ClientWiring), request.state.caller
    _check_charset(request)
    async with AsyncExitStack() as held:
        await held.enter_async_context(wiring.scan_streams.of(caller.token_id, 0))
        yield wiring, caller, held


def respond(
    scan: StreamedScan[Record], arrivals: AsyncIterator[Sequence[Record]], held: AsyncExitStack
) -> DuplexResponse:
    """Return the response that answers what arrives, and then closes what is `held`."""
    return DuplexResponse(scan.pieces(arrivals), NDJSON, held.pop_all())


def _check_charset(request: Request) -> None:
    for parameter in request.headers.get("content-type", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedMediaType("The body must be in UTF-8.")
