"""A peer that does not answer as it should is unavailable, soon and by name."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from servers import ports
from vestibule.contracts.errors import Unavailable
from vestibule.runtime.log_context import bound_log_fields
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.service_client import CircuitBreaker, ServiceClient, ServiceResponse

SECRET = ServiceSecret.fixed("s" * 43)
TIMEOUT_S = 0.3
PATIENT_S = 30
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _peer(
    handler: Handler, breaker: CircuitBreaker | None = None, timeout_s: float = PATIENT_S
) -> AsyncIterator[ServiceClient]:
    """Give a client of a real server that answers everything by `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app)
    async with server, ServiceClient("queue", str(server.make_url("/")), SECRET, timeout_s, breaker) as peer:
        yield peer


async def _echo(request: web.Request) -> web.StreamResponse:
    seen = {
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "body": await request.json() if request.can_read_body else None,
        "authorization": request.headers.get("Authorization"),
        "request_id": request.headers.get("X-Request-ID"),
        "cookie": request.headers.get("Cookie"),
    }
    answer = web.json_response(seen)
    answer.set_cookie("tracked", "yes")
    return answer


async def test_a_request_arrives_as_it_was_meant() -> None:
    """Method, path, query, body, proof of identity and request id all reach the peer, whatever is in them."""
    with bound_log_fields(request_id="the-id"):
        async with _peer(_echo) as peer:
            answer = await peer.call("POST", "/write", query={"key": "a&b=c#d ё 🔑 %41 +/?"}, body={"value": "ё\n🔑\0"})
    expected = {
        "method": "POST",
        "path": "/write",
        "query": {"key": "a&b=c#d ё 🔑 %41 +/?"},
        "body": {"value": "ё\n🔑\0"},
        "authorization": SECRET.current().authorization,
        "request_id": "the-id",
        "cookie": None,
    }
    assert ServiceResponse(200, expected) == answer


async def test_without_a_request_there_is_no_request_id() -> None:
    """A probe belongs to no request; and no cookie is ever sent back."""
    async with _peer(_echo) as peer:
        await peer.call("GET", "/health")
        answer = await peer.call("GET", "/health")
    assert (None, None) == (answer.body["request_id"], answer.body["cookie"])


@pytest.mark.parametrize("status", [200, 201, 204, 302, 401, 404, 422])
async def test_an_answer_below_500_is_an_answer(status: int) -> None:
    """What a refusal of the peer means is for the caller to say; redirects are not followed."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with _peer(answer) as peer:
        assert ServiceResponse(status, None) == await peer.call("GET", "/")


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_peer_that_cannot_serve_is_unavailable(status: int) -> None:
    """A 5xx of a peer is an `Unavailable` that names the part and says nothing of the peer's words."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="inner workings")

    async with _peer(answer) as peer:
        with pytest.raises(Unavailable) as caught:
            await peer.call("GET", "/")
        assert not await peer.is_ready()
    assert "queue" == caught.value.part
    assert "inner workings" not in caught.value.detail


@pytest.mark.parametrize("content", [b"<html>", b'{"broken', b"\xff"])
async def test_a_peer_that_answers_nonsense_is_unavailable(content: bytes) -> None:
    """Something else that listens on the peer's port is no peer."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content)

    async with _peer(answer) as peer:
        with pytest.raises(Unavailable):
            await peer.call("GET", "/")
        assert not await peer.is_ready()


async def test_a_peer_that_hangs_is_given_up_in_time() -> None:
    """The timeout holds before the answer begins."""
    released = asyncio.Event()

    async def hang(_request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    async with _peer(hang, timeout_s=TIMEOUT_S) as peer:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await peer.call("GET", "/")
        released.set()
    assert TIMEOUT_S * 0.9 <= time.monotonic() - began < PATIENT_S


async def test_a_peer_that_stops_in_the_middle_is_given_up_in_time() -> None:
    """The timeout holds for the whole answer, not for its first byte only."""
    released = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"{")
        await released.wait()
        return answer

    async with _peer(stall, timeout_s=TIMEOUT_S) as peer:
        with pytest.raises(Unavailable):
            await peer.call("GET", "/")
        released.set()


async def test_a_peer_that_hangs_up_is_unavailable() -> None:
    """A connection that ends without an answer is no answer."""

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with _peer(hang_up) as peer:
        with pytest.raises(Unavailable):
            await peer.call("POST", "/", body={})


async def test_a_refused_connection_is_unavailable_at_once() -> None:
    """Nobody listens: the caller hears so without waiting for the timeout."""
    async with ServiceClient("queue", f"http://127.0.0.1:{ports.free_port()}", SECRET, 30) as peer:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await peer.call("GET", "/")
        assert not await peer.is_ready()
    assert time.monotonic() - began < 5


async def test_a_peer_that_comes_back_is_served_again() -> None:
    """After a failure nothing has to be built anew."""
    port = ports.free_port()
    app = web.Application()
    app.router.add_get("/readyz", _echo)
    async with ServiceClient("queue", f"http://127.0.0.1:{port}/", SECRET, PATIENT_S) as peer:
        assert not await peer.is_ready()
        for _ in range(2):
            async with TestServer(app, port=port):
                assert await peer.is_ready()
            assert not await peer.is_ready()


async def test_a_read_is_tried_again_and_a_write_is_not() -> None:
    """A peer that hangs up, or cannot serve for a moment, answers a read at the next try; a write could count twice."""
    seen: list[str] = []

    async def falter(request: web.Request) -> web.StreamResponse:
        seen.append(request.method)
        if len(seen) % 3 == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({}, status=503 if len(seen) % 3 == 2 else 200)

    async with _peer(falter) as peer:
        assert ServiceResponse(200, {}) == await peer.call("GET", "/")
        assert ["GET"] * 3 == seen
        with pytest.raises(Unavailable):
            await peer.call("POST", "/", body={})
    assert ["GET", "GET", "GET", "POST"] == seen


async def test_a_peer_that_is_frozen_is_not_waited_for() -> None:
    """After a few calls in vain the answer is no at once; when the peer is back, so are the answers."""
    is_thawed = asyncio.Event()
    arrived = 0

    async def answer(_request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        await is_thawed.wait()
        return web.json_response({})

    async with _peer(answer, CircuitBreaker(failures_until_open=3, open_for_s=2), TIMEOUT_S) as peer:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await peer.call("GET", "/")
        before = arrived
        for _ in range(20):
            with pytest.raises(Unavailable, match="did not answer recent requests"):
                await peer.call("POST", "/", body={})
        assert before == arrived
        is_thawed.set()
        answers = 0
        async with asyncio.timeout(PATIENT_S):
            while answers < 5:
                await asyncio.sleep(0.02)
                # On a busy machine an answer may come too late even now.
                with suppress(Unavailable):
                    answers += (await peer.call("POST", "/", body={})).status == 200


async def test_one_call_finds_out_for_all() -> None:
    """While a peer is unavailable, one call in a while is allowed, and a refusal of the peer counts as an answer."""
    now = 0.0
    breaker = CircuitBreaker(failures_until_open=2, open_for_s=1, clock=lambda: now)
    breaker.record_no_answer()
    assert breaker.allows_call()
    breaker.record_no_answer()
    assert [False, False] == [breaker.allows_call() for _ in range(2)]
    now = 1.0
    assert [True, False, False] == [breaker.allows_call() for _ in range(3)]
    breaker.record_no_answer()
    now = 1.9
    assert not breaker.allows_call()
    now = 2.0
    assert breaker.allows_call()
    breaker.failures = 0
    assert [True, True] == [breaker.allows_call() for _ in range(2)]


async def test_a_peer_on_a_socket() -> None:
    """A peer on this machine can be reached over a Unix socket as over TCP."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    with tempfile.TemporaryDirectory(prefix="vst-") as folder:
        path = f"{folder}/d.sock"
        await web.UnixSite(runner, path).start()
        async with ServiceClient("queue", f"unix://{path}", SECRET, PATIENT_S) as peer:
            answer = await peer.call("GET", "/read", query={"key": "a b"})
        await runner.cleanup()
        async with ServiceClient("queue", f"unix://{path}", SECRET, PATIENT_S) as peer:
            assert not await peer.is_ready()
    assert ("/read", {"key": "a b"}) == (answer.body["path"], answer.body["query"])


async def test_a_stream_comes_piece_by_piece_and_ends_with_its_peer() -> None:
    """Pieces arrive as they are sent, for longer than a call may take; a peer that hangs up ends them."""
    go_on = asyncio.Event()

    async def tell(request: web.Request) -> web.StreamResponse:
        if request.path == "/no":
            return web.Response(status=422)
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"one")
        await go_on.wait()
        await answer.write(b"two")
        assert request.transport is not None
        request.transport.abort()
        return answer

    begins_within_s = 2
    async with _peer(tell, timeout_s=begins_within_s) as peer:
        pieces = await peer.stream("/yes", query={}, headers={})
        assert b"one" == await anext(pieces)
        await asyncio.sleep(begins_within_s * 1.2)
        go_on.set()
        assert b"two" == b"".join([piece async for piece in pieces])
        with pytest.raises(Unavailable):
            await peer.stream("/no", query={}, headers={})


async def test_a_client_outside_its_context_says_so() -> None:
    """A mistake in the wiring is named."""
    with pytest.raises(RuntimeError, match="inside its own context"):
        await ServiceClient("queue", "http://127.0.0.1:1", SECRET, 1).call("GET", "/")
