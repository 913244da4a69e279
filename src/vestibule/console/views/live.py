"""Decisions as they are made, as rows of a page: a stream of events that ends with whoever reads it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from vestibule.client.results.decisions import Decision, MissedDecisions, SampledDecisions
from vestibule.contracts.errors import InvalidToken, VestibuleError

DecisionEvent = Decision | MissedDecisions | SampledDecisions
EventSource = AsyncGenerator[DecisionEvent, None]
AT_MOST = 5
# A browser that takes nothing for so long has no use for the rest.
SLOW_S = 20.0
HEARTBEAT_S = 10.0
# Without a sample for so long every decision is shown again.
ALL_AFTER_S = 2.5
TICK_S = 1.0
RETRY_AFTER_MS = 5000
ALL_SHOWN = "Every decision is shown."
SESSION_OVER = "Your session has ended. Load the page again to sign in."


class EventStream(StreamingResponse):
    """Events for a browser. Whatever ends the answer ends the stream behind it at once."""

    def __init__(self, events: AsyncGenerator[bytes, None], slow_s: float = SLOW_S) -> None:
        """Take the events, and how long the browser may leave one untaken."""
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._events = events
        self._slow_s = slow_s

    async def stream_response(self, send: Send) -> None:
        """Send the events one after the other."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._slow_s):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            # The browser connects again when it reads again.
            await _closed_quietly(send)
        finally:
            await self._events.aclose()


_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}


async def _closed_quietly(send: Send) -> None:
    """End the answer, if the browser takes that."""
    try:
        async with asyncio.timeout(TICK_S):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        return


class LiveRows:
    """Turns decisions into events: rows to put on top of a table, and a line that says how many there are."""

    def __init__(self, source: EventSource, render: Callable[[list[Decision]], str], until: float) -> None:
        """Take the decisions, what renders rows, and when the session ends, in seconds since 1970."""
        self._source = source
        self._render = render
        self._until = until
        self._said = ""
        self._sampled_at = time.monotonic()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Yield events until the source fails or the session ends."""
        yield self._say(ALL_SHOWN)
        async with aclosing(_ticking(self._source)) as found:
            try:
                async for one in found:
                    if time.time() >= self._until:
                        yield _ended(SESSION_OVER)
                        return
                    yield self._event(one)
            except InvalidToken:
                yield _ended(SESSION_OVER)
            except VestibuleError as error:
                yield _ended(f"The live view has stopped: {error.detail}")

    def _event(self, one: DecisionEvent | None) -> bytes:
        if isinstance(one, Decision):
            return _message(self._render([one]))
        if isinstance(one, MissedDecisions):
            return self._say(f"{one.missed:,} decisions were lost on the way: a connection was slow, or broke.")
        now = time.monotonic()
        if isinstance(one, SampledDecisions):
            span_s = max(1.0, min(now - self._sampled_at, ALL_AFTER_S))
            self._sampled_at = now
            return self._say(f"Showing {AT_MOST} of {AT_MOST + round(one.left_out / span_s):,} a second.")
        if now - self._sampled_at >= ALL_AFTER_S and self._said != ALL_SHOWN:
            return self._say(ALL_SHOWN)
        return b": nothing new\n\n"

    def _say(self, said: str) -> bytes:
        self._said = said
        return _named("said", said)


async def _ticking(source: EventSource) -> AsyncGenerator[DecisionEvent | None, None]:
    """Yield what a source has, and None each second without anything. It ends the source."""
    following = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(source))
            done, _ = await asyncio.wait({following}, timeout=TICK_S)
            if not done:
                yield None
                continue
            taken, following = following, None
            try:
                found = taken.result()
            except StopAsyncIteration:
                return
            yield found
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        await source.aclose()


def _ended(said: str) -> bytes:
    return _named("said", said) + _named("ended", said)


def _named(kind: str, text: str) -> bytes:
    return f"event: {kind}\n".encode() + _data(text)


def _message(text: str) -> bytes:
    return _data(text)


def _data(text: str) -> bytes:
    lines = [f"data: {line}\n" for line in text.splitlines() if line.strip()]
    return "".join([*lines, "\n"]).encode()
