"""Sends requests to the services and repeats them, and reads streams of events."""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Self

from vestibule.client import http_library
from vestibule.client.answers import Answer
from vestibule.client.calls import Call, OutgoingRequest, prepare
from vestibule.client.configuration import Configuration
from vestibule.client.errors import NoAnswer, TimedOut, UnexpectedAnswer, Unreachable
from vestibule.client.event_stream import EventParser, ServerSentEvent, is_event_stream
from vestibule.client.operations import Repeat
from vestibule.client.retry import Attempts
from vestibule.contracts.errors import VestibuleError

httpx = http_library.load_httpx()


class AsyncTransport:
    """One pool of connections, shared by a client and those that `with_options` makes of it."""

    def __init__(self, pool: Any) -> None:
        """Take the pool of the HTTP library."""
        self._pool = pool

    @classmethod
    def open(cls, configuration: Configuration, ca_file: str | None, proxy: str | None) -> Self:
        """Return a transport with a pool of its own."""
        return cls(httpx.AsyncClient(**http_library.pool_options(configuration, ca_file, proxy)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def answer(self, call: Call, configuration: Configuration) -> Answer:
        """Return the successful answer to a call, after as many attempts as it may have.

        Raises:
            VestibuleError: the service refused it, of the class of the problem.
            NoAnswer: nobody answered.
        """
        request = prepare(call, configuration)
        attempts = Attempts(request.repeat, configuration.retry, configuration.timeout_s + call.long_poll_s)
        while True:
            outcome = await self._attempt(request, attempts)
            if isinstance(outcome, Answer) and outcome.is_success:
                return outcome
            await _pause_or_raise(outcome, attempts)

    async def _attempt(self, request: OutgoingRequest, attempts: Attempts) -> Answer | NoAnswer:
        """Return the answer, or the error of an attempt without one; errors of the HTTP library have the token."""
        try:
            async with self._stream(request, max(0.001, attempts.remaining_s)) as response:
                content = bytearray()
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if attempts.remaining_s < 0:
                        return _timed_out(request, attempts.timeout_s)
                return Answer(response.status_code, dict(response.headers), bytes(content))
        except httpx.HTTPError as error:
            return _no_answer(request, error, attempts.timeout_s)

    def _stream(self, request: OutgoingRequest, timeout_s: float, silence_s: float | None = None) -> Any:
        connect_s = min(http_library.CONNECT_TIMEOUT_S, timeout_s)
        timeout = httpx.Timeout(timeout_s, connect=connect_s, read=silence_s or timeout_s)
        return self._pool.stream(
            request.method, request.url, content=request.content, headers=request.headers, timeout=timeout
        )

    async def events(
        self, call: Call, configuration: Configuration, last_id: str | None = None
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events of a stream, without end: after a cut it goes on behind the last event.

        The event `reconnected` begins each stream after the first.

        Raises:
            VestibuleError: the service refused it.
            NoAnswer: nobody answered, later for as long as the timeout.
        """
        attempts = Attempts(Repeat.ALWAYS, configuration.retry, configuration.timeout_s)
        is_first = True
        while True:
            request = prepare(call.as_stream(last_id), configuration)
            async for outcome in self._read_stream(request, EventParser(last_id), attempts):
                if isinstance(outcome, ServerSentEvent):
                    last_id = outcome.last_id
                    yield outcome
                elif isinstance(outcome, Answer) and outcome.is_success:
                    attempts = Attempts(Repeat.ALWAYS, configuration.retry.without_limit(), configuration.timeout_s)
                    if not is_first:
                        yield ServerSentEvent("reconnected", last_id, "null")
                    is_first = False
                else:
                    await _pause_or_raise(outcome, attempts)

    async def _read_stream(
        self, request: OutgoingRequest, parser: EventParser, attempts: Attempts
    ) -> AsyncIterator[ServerSentEvent | Answer | NoAnswer]:
        """Yield the answer without content, and then the events; at last why it ended, which is an error or a cut."""
        try:
            async with self._stream(
                request, max(0.001, attempts.remaining_s), http_library.MAX_STREAM_SILENCE_S
            ) as response:
                headers = dict(response.headers)
                if response.status_code != 200:
                    yield Answer(response.status_code, headers, await response.aread())
                    return
                if not is_event_stream(headers):
                    raise UnexpectedAnswer("The answer is no stream of events; is this the address of a Vestibule?")
                yield Answer(200, headers, b"")
                decoder = codecs.getincrementaldecoder("utf-8")("replace")
                async for chunk in response.aiter_bytes():
                    for event in parser.feed(decoder.decode(chunk)):
                        yield event
            outcome: NoAnswer = _lost(request, was_sent=True)
        except httpx.HTTPError as error:
            outcome = _no_answer(request, error, attempts.timeout_s)
        yield outcome


async def _pause_or_raise(outcome: Answer | NoAnswer, attempts: Attempts) -> None:
    """Wait until the next attempt, or raise the error of the last."""
    if isinstance(outcome, Answer):
        pause_s = attempts.after_answer(outcome.status, outcome.slug, outcome.retry_after_s)
        error: VestibuleError = outcome.error()
    else:
        pause_s = attempts.after_no_answer(was_sent=outcome.was_sent)
        error = outcome
    if pause_s is None:
        error.attempts = attempts.number
        raise error
    await asyncio.sleep(pause_s)


def _no_answer(request: OutgoingRequest, error: Exception, timeout_s: float) -> NoAnswer:
    was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    if isinstance(error, httpx.TimeoutException):
        return _timed_out(request, timeout_s, was_sent=was_sent)
    return _lost(request, was_sent=was_sent)


def _timed_out(request: OutgoingRequest, timeout_s: float, *, was_sent: bool = True) -> TimedOut:
    return TimedOut(f"{request.address} does not answer within {timeout_s:g} s.", was_sent=was_sent)


def _lost(request: OutgoingRequest, *, was_sent: bool) -> Unreachable:
    what = "closed the connection before it answered" if was_sent else "is not reachable"
    return Unreachable(f"{request.address} {what}.", was_sent=was_sent)
