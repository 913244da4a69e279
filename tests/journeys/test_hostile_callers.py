"""Callers who are slow, send too much, or hold what others need: they are ended, and nobody beside them notices."""

import http.client
import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from vestibule.service_kit.http.connections import MOST_BODIES_PER_TOKEN

SLOW = int(os.environ.get("VESTIBULE_FAULT_CONNECTIONS", "1000"))
HEAD = b"POST /add HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer SECRET_TOKEN\r\n"
BODY = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
# Nothing at all, half a head, half a body with a good token, and half a body behind a head that is refused.
BEGINNINGS = [b"", HEAD, HEAD + BODY, HEAD.replace(b"SECRET", b"UNKNOWN") + BODY]
PROBES = 30
ENDED_WITHIN_S = 60


@pytest.fixture(scope="module")
def client_service(start_for_module: Any) -> Any:
    """A system of this module's own, with a short request timeout, and without a limit of unknown tokens."""
    return start_for_module(VESTIBULE_REQUEST_TIMEOUT_S="2", VESTIBULE_AUTH_FAILURES_PER_MINUTE="100000")


def begin(port: int, beginning: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.sendall(beginning)
    return connection


def answers_of(connections: list[socket.socket]) -> list[bytes]:
    """Return what each connection is answered until the other side ends it."""
    answers = dict.fromkeys(connections, b"")
    deadline = time.monotonic() + ENDED_WITHIN_S
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} connections are still open"
            for key, _ in selector.select(1):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                try:
                    some = connection.recv(65_536)
                except ConnectionResetError:
                    some = b""
                answers[connection] += some
                if not some:
                    selector.unregister(connection)
                    connection.close()
    return [answers[connection] for connection in connections]


def test_slow_callers_are_ended_and_keep_nobody_waiting(client_service: Any, wait_until: Callable[..., Any]) -> None:
    """A thousand connections with half a request: a probe beside them is answered at once, then each gets its 408."""
    alerts = len(client_service.reports("InvalidInput"))
    connections = [begin(client_service.base_port, BEGINNINGS[number % 4]) for number in range(SLOW)]
    took_s = []
    for _ in range(PROBES):
        began = time.monotonic()
        fresh = http.client.HTTPConnection("127.0.0.1", client_service.base_port, timeout=60)
        fresh.request("GET", "/health")
        assert 200 == fresh.getresponse().status
        fresh.close()
        took_s.append(time.monotonic() - began)
    print(f"probe beside {SLOW} slow connections: median {statistics.median(took_s) * 1000:.1f} ms")
    assert statistics.median(took_s) < 0.5

    answers = answers_of(connections)
    statuses = [answer[9:12].decode() for answer in answers]
    assert [""] * (SLOW // 4) == statuses[0::4]
    assert ["408"] * (SLOW // 4) == statuses[1::4]
    # One token may have so many incomplete bodies; the rest of its own are refused before.
    assert {"408", "429"} == set(statuses[2::4])
    assert statuses[2::4].count("408") <= MOST_BODIES_PER_TOKEN
    assert {"401"} == set(statuses[3::4])
    assert all(b'"status":408' in answer for answer in answers[1::4])
    wait_until(lambda: client_service.log_lines(event="slow_requests_timed_out"), what="the line about slow callers")
    assert alerts == len(client_service.reports("InvalidInput"))
    assert 200 == client_service.add("after", "the slow ones").status_code


def test_a_body_that_comes_steadily_may_take_its_time(client_service: Any) -> None:
    """Whoever goes on sending is not cut off, although the whole takes longer than a body may pause."""
    value = b"x" * 40_000
    body = b'{"key": "steady", "value": "' + value + b'"}'
    head = HEAD + b"Content-Type: application/json\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    connection = begin(client_service.base_port, head)
    for number in range(8):
        connection.sendall(body[number * 5_010 : (number + 1) * 5_010])
        time.sleep(0.8)
    assert connection.recv(12).endswith(b" 200")
    connection.close()


def test_what_is_too_large_is_refused(client_service: Any) -> None:
    """Heads of 20 MB get a 431, bodies of 20 MB a 413, declared or not; what is no HTTP gets a 400."""
    large = b"x" * 20_000_000
    heads = {
        "header": HEAD + b"X-Large: " + large,
        "many headers": HEAD + b"".join(b"X-%d: some\r\n" % number for number in range(100_000)),
        "path": b"GET /" + large,
    }
    statuses = {}
    for name, head in heads.items():
        statuses[name] = first_status(client_service.base_port, head)
    assert dict.fromkeys(heads, 431) == statuses
    assert 400 == first_status(client_service.base_port, b"this is not HTTP\r\n\r\n")

    declared = client_service.http.post("/add", content=large, headers={"Content-Type": "application/json"})
    undeclared = client_service.http.post("/add", content=iter([large]), headers={"Content-Type": "application/json"})
    assert [413, 413] == [declared.status_code, undeclared.status_code]
    assert "application/problem+json" == declared.headers["content-type"]
    assert 200 == client_service.http.get("/health", headers={"X-Fine": "x" * 30_000}).status_code


def first_status(port: int, request: bytes) -> int:
    """Return the status that is answered before the whole request could be sent."""
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.setblocking(False)
    left, answer = memoryview(request), b""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while not answer:
            ((_, events),) = selector.select(60)
            if events & selectors.EVENT_READ:
                answer = connection.recv(4096)
                break
            left = left[connection.send(left[:65_536]) :]
            if not left:
                selector.modify(connection, selectors.EVENT_READ)
    connection.close()
    assert b"application/problem+json" in answer
    return int(answer[9:12])


def test_every_route_but_health_metrics_and_problems_needs_a_token(client_service: Any) -> None:
    """Every documented route of every service is a 401 without a token, except those that describe the service."""
    for offset in range(4):
        base = client_service.part_url(offset)
        paths = httpx.get(f"{base}/openapi.json", timeout=40).json()["paths"]
        assert paths
        for path, methods in paths.items():
            for method in methods:
                answer = httpx.request(method, base + path.replace("{", "").replace("}", ""), timeout=40)
                is_open = path in (
                    "/health",
                    "/readyz",
                    "/metrics",
                    "/problems",
                    "/problems/{name}",
                    "/presidio/health",
                )
                assert is_open == (answer.status_code != 401), (base, method, path, answer.status_code)
