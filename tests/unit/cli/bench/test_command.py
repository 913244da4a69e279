"""`vestibule bench` asks as it says, counts what it hears, and waits where it is told to."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner, Result

from vestibule.cli.main import app


class Door(ThreadingHTTPServer):
    """Answers 200 in a moment; 503 to every request but the first where it is told to be busy."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.is_busy = False
        self.asked: Counter[str] = Counter()
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()


class Answers(BaseHTTPRequestHandler):
    """One answer each, over kept connections."""

    protocol_version = "HTTP/1.1"
    server: Door

    def do_POST(self) -> None:
        """Count, and answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            is_first = not self.server.asked
            self.server.asked[f"{self.path} {body.get('key', '')}"] += 1
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        time.sleep(0.01)
        with self.server.lock:
            self.server.under_way -= 1
        self.send_response(503 if self.server.is_busy and not is_first else 200)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def door() -> Iterator[Door]:
    """A small server."""
    with Door() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _bench(door: Door, *options: str) -> Result:
    url = f"http://127.0.0.1:{door.server_address[1]}"
    return CliRunner().invoke(app, ["bench", url, *options, "--seconds", "0.5", "--connections", "4"])


def test_it_counts_answers_and_keeps_to_its_connections(door: Door) -> None:
    """As many at a time as it was told, every answer counted once, and its own cost said."""
    result = _bench(door, "--json")
    assert 0 == result.exit_code, result.output
    figures = json.loads(result.output)
    assert {"200": sum(door.asked.values()) - 1} == figures["statuses"]
    assert door.most_under_way <= 4
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert {"route", "requests_per_s", "own_cpu_share", "unanswered"} <= figures.keys()


def test_it_waits_where_it_is_told_to_come_again(door: Door) -> None:
    """Each connection hears one 503 and asks no more in that second; the program says that not all was served."""
    door.is_busy = True
    result = _bench(door, "--route", "messages")
    assert 1 == result.exit_code
    assert "4 x 503" in result.output
    assert 4 == door.asked["/messages "]


def test_an_unknown_route_is_wrong_usage(door: Door) -> None:
    """Nothing is asked."""
    assert 2 == _bench(door, "--route", "everything").exit_code
    assert 0 == sum(door.asked.values())
