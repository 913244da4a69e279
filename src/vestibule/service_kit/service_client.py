"""The HTTP client between services: authenticated, traced by request id, with timeouts and retries."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from vestibule.contracts.errors import Unavailable
from vestibule.runtime.background import Backoff, Jitter
from vestibule.runtime.log_context import log_fields
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.settings import UNIX_SCHEME
from vestibule.service_kit.tracing import SpanKind, current_traceparent, span

FAILURES_UNTIL_OPEN = 3
OPEN_FOR_S = 1.0


class CircuitBreaker:
    """Counts consecutive unanswered calls; while open, allows one call now and then to test the peer."""

    def __init__(
        self,
        failures_until_open: float = FAILURES_UNTIL_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_until_open = failures_until_open
        self._open_for_s = open_for_s
        self._clock = clock
        # An answer closes the circuit: it sets this to 0.
        self.failures = 0
        self._refuses_until = 0.0

    def allows_call(self) -> bool:
        """Say whether to call; while open, only one call in a while is allowed."""
        if self.failures < self._failures_until_open:
            return True
        now = self._clock()
        if now < self._refuses_until:
            return False
        self._refuses_until = now + self._open_for_s
        return True

    def record_no_answer(self) -> None:
        """Count a call without an answer."""
        self.failures += 1
        self._refuses_until = self._clock() + self._open_for_s


# A stream that is silent for this long has ended.
MAX_STREAM_SILENCE_S = 30.0
READ_ATTEMPTS = 3
# Callers that failed together do not retry together.
RETRY_BACKOFF = Backoff(first_s=0.03, longest_s=0.06, jitter=Jitter.AROUND)


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """The response of a peer: the status, and the JSON body or None."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, for every attempt."""

    method: str
    path: str
    query: Mapping[str, str] | None
    content: bytes | None
    headers: Mapping[str, str]


class _Retryable(Unavailable):
    """The call can be retried."""


class ServiceClient:
    """Calls one peer over kept connections. Use it as an async context manager.

    Reads are retried within the timeout of the call if the peer closed the connection or was unavailable. After several
    timeouts in a row calls fail at once, except one a second that tests whether the peer is back.
    """

    def __init__(
        self,
        part: str,
        base_url: str,
        secret: ServiceSecret | None,
        timeout_s: float,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        """Take the peer's name and address, `http://...` or `unix:///PATH`; without a breaker every call is made.

        Without a secret the peer is asked as anybody.
        """
        self._part = part
        self._socket = base_url.removeprefix(UNIX_SCHEME) if base_url.startswith(UNIX_SCHEME) else None
        self._base_url = "http://localhost" if self._socket else base_url.rstrip("/")
        self._secret = secret
        self._timeout_s = timeout_s
        self._breaker = breaker or CircuitBreaker(math.inf)
        self._session: aiohttp.ClientSession | None = None

    @property
    def timeout_s(self) -> float:
        """The longest wait for an answer."""
        return self._timeout_s

    async def __aenter__(self) -> Self:
        # No proxy, no cookies, no redirects: a peer is one known address.
        options: dict[str, Any] = {"limit": 0, "keepalive_timeout": 30}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._socket, **options)
            if self._socket
            else aiohttp.TCPConnector(**options),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers={"Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> ServiceResponse:
        """Send a request and return the response if its status is below 500; `timeout_s` replaces the usual timeout.

        Raises:
            Unavailable: the peer does not answer within the timeout, says that it cannot serve, or answers no JSON.
        """
        until = time.monotonic() + (timeout_s or self._timeout_s)
        outgoing = _Request(method, path, query, None if body is None else orjson.dumps(body), headers or {})
        attempts = READ_ATTEMPTS if method == "GET" else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._try(outgoing, until)
            except _Retryable:
                pause_s = RETRY_BACKOFF.delay_s(attempt)
                if attempt == attempts or time.monotonic() + pause_s >= until:
                    raise
                await asyncio.sleep(pause_s)
        raise AssertionError("unreachable")

    async def _try(self, outgoing: _Request, until: float) -> ServiceResponse:
        session = self._session
        if session is None or self._breaker.failures:
            session = self._checked_session()
        timeout = aiohttp.ClientTimeout(total=max(0.01, until - time.monotonic()))
        try:
            with span(f"{outgoing.method} {self._part}", SpanKind.CLIENT) as calling:
                trace = {} if calling is None else current_traceparent()
                async with session.request(
                    outgoing.method,
                    self._base_url + outgoing.path,
                    params=outgoing.query,
                    data=outgoing.content,
                    headers=self._headers({**trace, **outgoing.headers}),
                    allow_redirects=False,
                    timeout=timeout,
                ) as answer:
                    received = await answer.read()
                if calling is not None:
                    calling.set_attribute("http.response.status_code", answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._no_answer(error) from error
        self._breaker.failures = 0
        if answer.status >= 500:
            kind = _Retryable if answer.status == 503 else Unavailable
            raise kind(self._part, f"The {self._part} service is overloaded or unavailable.")
        try:
            return ServiceResponse(answer.status, orjson.loads(received) if received else None)
        except orjson.JSONDecodeError:
            raise Unavailable(self._part, f"The response does not come from the {self._part} service.") from None

    def _checked_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the service client inside its own context")
        if not self._breaker.allows_call():
            raise Unavailable(self._part, f"The {self._part} service did not answer recent requests.")
        return self._session

    def _no_answer(self, error: Exception) -> Unavailable:
        kind = Unavailable if isinstance(error, TimeoutError) else _Retryable
        # After a timeout no time is left for a retry. A broken or refused connection took none, and the peer may be
        # back in a moment: only timeouts open the circuit breaker.
        if kind is Unavailable:
            self._breaker.record_no_answer()
        return kind(self._part, f"The {self._part} service does not answer.")

    def _headers(self, given: Mapping[str, str]) -> dict[str, str]:
        own = {} if self._secret is None else {"Authorization": self._secret.current().authorization}
        headers = {**own, **given}
        request_id = log_fields().get("request_id")
        if request_id:
            headers["X-Request-ID"] = request_id
        return headers

    async def stream(self, path: str, *, query: Mapping[str, str], headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Yield the response in chunks as they arrive; ends on a timeout or when the peer disconnects.

        Raises:
            Unavailable: the peer does not begin within the timeout, or with another status than 200.
        """
        session = self._checked_session()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await session.get(
                    self._base_url + path,
                    params=query,
                    headers=self._headers({**current_traceparent(), **headers}),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_read=MAX_STREAM_SILENCE_S),
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._no_answer(error) from error
        self._breaker.failures = 0
        if answer.status != 200:
            answer.close()
            raise Unavailable(self._part, f"The {self._part} service is overloaded or unavailable.")
        return _pieces(answer)

    async def is_ready(self) -> bool:
        """Say whether the peer is ready to serve."""
        try:
            return (await self.call("GET", "/readyz")).status == 200
        except Unavailable:
            return False


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except (aiohttp.ClientError, TimeoutError, OSError):
        return
    finally:
        answer.close()
