"""Every request has an id and one line that gives nothing away, however it ends."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.http.head import answer_head
from vestibule.service_kit.wiring import frame_of

MARKER = "Zq7MARKERx9"
HARDENED = ("cache-control", "x-content-type-options")


@pytest.mark.parametrize("request_id", ["a", "A.b_c-9", "0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e", "x" * 128])
async def test_a_well_formed_request_id_is_kept(service: Any, request_id: str) -> None:
    """The caller's id comes back, so that it can be found in the log of both sides."""
    async with service.client() as client:
        answer = await client.get("/things/one", headers={"X-Request-ID": request_id})
    assert [request_id] == answer.headers.get_list("x-request-id")


@pytest.mark.parametrize("request_id", ["", " ", "a b", "a\tb", 'a"b', "a{b}", "é".encode("latin-1"), "x" * 129, "a/b"])
async def test_a_malformed_request_id_is_replaced(service: Any, request_id: str | bytes) -> None:
    """What could forge a log line or fill the log is not taken over."""
    async with service.client() as client:
        answer = await client.get("/things/one", headers={"X-Request-ID": request_id})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_a_request_id_that_gives_something_away_is_replaced(service: Any, log_lines: Any) -> None:
    """The service judges ids that callers choose, since they travel into logs and reports."""
    async with service.client() as client:
        answer = await client.get("/things/one", headers={"X-Request-ID": "my-secret-id"})
    assert "my-secret-id" != answer.headers["x-request-id"]
    assert all("my-secret-id" not in str(line) for line in log_lines())


async def test_request_ids_differ(service: Any) -> None:
    """Ids that are made here are never the same."""
    async with service.client() as client:
        made = {(await client.get("/things/one")).headers["x-request-id"] for _ in range(20)}
    assert 20 == len(made)


async def test_every_kind_of_answer_has_the_request_id(service: Any, log_lines: Any) -> None:
    """Answers of routes, of the framework and of the last resort all carry the id, and problems repeat it."""
    async with service.client() as client:
        paths = ["/things/one", "/things/one?limit=9", "/nowhere", "/broken", "/health", "/openapi.json"]
        answers = [await client.get(path, headers={"X-Request-ID": "the-id"}) for path in paths]
    assert [200, 422, 404, 500, 200, 200] == [answer.status_code for answer in answers]
    assert [["the-id"]] * 6 == [answer.headers.get_list("x-request-id") for answer in answers]
    assert ["urn:request:the-id"] * 3 == [answer.json()["instance"] for answer in answers[1:4]]


async def test_an_unexpected_error_says_nothing_of_its_cause(service: Any, log_lines: Any) -> None:
    """The caller of a 500 learns the request's id and nothing else; the log has the place, and not the text."""
    async with service.client() as client:
        answer = await client.get("/broken", headers={"X-Request-ID": "the-id"})
    assert (500, "/problems/internal-error") == (answer.status_code, answer.json()["type"])
    assert "cause-of-it-all" not in answer.text
    assert "RuntimeError" not in answer.text
    cause, request = log_lines()
    assert ("unexpected_error", "builtins.RuntimeError", "the-id") == (
        cause["event"],
        cause["exception"],
        cause["request_id"],
    )
    assert any(frame.endswith(" broken") for frame in cause["frames"])
    assert "cause-of-it-all" not in str(cause)
    assert ("request", "/broken", 500, "error") == (
        request["event"],
        request["route"],
        request["status"],
        request["level"],
    )


async def test_the_log_line_has_the_route_and_neither_path_nor_query(service: Any, log_lines: Any) -> None:
    """One line a request, with the route's template: what a caller put into the address is in no log."""
    async with service.client() as client:
        await client.get(f"/things/{MARKER}?limit=1&name={MARKER}", headers={"X-Request-ID": "the-id"})
    inside, request = log_lines()
    expected = {"event": "request", "method": "GET", "route": "/things/{thing}", "status": 200, "request_id": "the-id"}
    assert expected == {name: request[name] for name in expected}
    assert ("inside", "the-id") == (inside["event"], inside["request_id"])
    assert MARKER not in str([inside, request])


async def test_an_answer_is_kept_by_no_cache_and_taken_for_no_page(service: Any) -> None:
    """A stored value that looks like HTML stays what it is declared to be, and is in no cache on the way."""
    async with service.client() as client:
        for answer in (await client.get("/things/one"), await client.get("/nowhere")):
            assert ("no-store", "nosniff") == tuple(answer.headers[name] for name in HARDENED)
        # What says its own stays with it.
        assert "no-store" != (await client.get("/problems")).headers["cache-control"]


async def test_head_answers_as_get_without_a_body(service: Any, log_lines: Any) -> None:
    """Status and headers of the GET; what answers no GET has no HEAD, and `Allow` names both."""
    async with service.client() as client:
        got, head = await client.get("/things/one"), await client.head("/things/one")
        refused, posted = await client.head("/pairs"), await client.post("/things/one")
    assert (got.status_code, b"") == (head.status_code, head.content)
    assert got.headers["content-length"] == head.headers["content-length"]
    assert (405, "POST", b"") == (refused.status_code, refused.headers["allow"], refused.content)
    assert (405, "GET, HEAD") == (posted.status_code, posted.headers["allow"])
    logged = [(line["method"], line["route"]) for line in log_lines() if line["event"] == "request"]
    assert ("HEAD", "/things/{thing}") in logged


async def test_head_of_a_stream_ends_with_its_head() -> None:
    """A stream that never ends is closed once its head is sent."""
    has_ended, is_sent = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            has_ended.set()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            is_sent.set()

    async def receive() -> Any:
        await is_sent.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(5):
        await answer_head(StreamingResponse(events()), {"type": "http", "method": "HEAD"}, receive, send)
        await has_ended.wait()
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in sent]


@pytest.mark.parametrize("method", ["GET", "BREW" + MARKER.upper()])
async def test_an_unknown_route_is_logged_without_its_path(service: Any, log_lines: Any, method: str) -> None:
    """Neither a path nor a method that somebody made up gets into the log or into a metric's labels."""
    async with service.client() as client:
        await client.request(method, f"/{MARKER}?{MARKER}")
        metrics = (await client.get("/metrics")).text
    (line,) = log_lines()
    assert ("unmatched", 404) == (line["route"], line["status"])
    assert MARKER.upper() not in str(line).upper() + metrics.upper()


async def test_what_one_request_binds_is_not_in_the_next_ones_line(service: Any, log_lines: Any) -> None:
    """The id of a token stands only in the line of the request that showed it."""
    async with service.client() as client:
        await client.get("/things/one")
        await client.get("/nowhere")
    lines = [line for line in log_lines() if line["event"] == "request"]
    assert ["development", None] == [line.get("token_id") for line in lines]


@pytest.mark.parametrize(("headers", "events"), [({}, []), ({"X-Request-ID": "the-callers"}, ["request"])])
async def test_a_service_that_polls_fills_no_log(
    service: Any, log_lines: Any, headers: dict[str, str], events: list[str]
) -> None:
    """What a service asks for a caller has the id of the request, and a line; what fails has one anyway."""
    secret = ServiceSecret.fixed("s" * 43)
    frame_of(service.app).wiring = replace(
        service.wiring, authenticator=Authenticator([secret], service.note_auth_failure)
    )
    async with service.client(token="s" * 43) as client:
        assert 200 == (await client.get("/things/one", headers=headers)).status_code
        assert events == [line["event"] for line in log_lines() if line["event"] == "request"]
        assert 404 == (await client.get("/nowhere")).status_code
    assert 404 == log_lines()[-1]["status"]


async def test_probes_are_counted_and_not_logged(service: Any, log_lines: Any) -> None:
    """What monitoring asks every few seconds fills no log, and is in the metrics."""
    async with service.client() as client:
        for path in ("/health", "/healthz", "/readyz", "/metrics"):
            assert 200 == (await client.get(path)).status_code
        metrics = (await client.get("/metrics")).text
    assert [] == log_lines()
    assert 'vestibule_requests_total{method="GET",route="/health",service="sample",status="200"} 1.0' in metrics
