"""`vestibule bench` asks as it says, counts what it hears, and waits where it is told to."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner, Result

from vestibule.cli.main import app

CONNECTIONS = 4


class Screener(ThreadingHTTPServer):
    """Answers 200 in a moment; 503 to every request but the first where it is told to be busy."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.is_busy = False
        self.asked: Counter[str] = Counter()
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.all_ask = threading.Event()


class Answers(BaseHTTPRequestHandler):
    """One answer each, over kept connections."""

    protocol_version = "HTTP/1.1"
    server: Screener

    def do_POST(self) -> None:
        """Count, and answer."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            is_first = not self.server.asked
            self.server.asked[f"{self.path} {body.get('key', '')}"] += 1
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
            if self.server.under_way == CONNECTIONS:
                self.server.all_ask.set()
        # Connections that ask at the same time meet here; on a busy machine some may come later.
        self.server.all_ask.wait(0 if is_first else 0.05)
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
def client_service() -> Iterator[Screener]:
    """A small server."""
    with Screener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _bench(client_service: Screener, *options: str) -> Result:
    url = f"http://127.0.0.1:{client_service.server_address[1]}"
    return CliRunner().invoke(app, ["bench", url, *options, "--seconds", "0.5", "--connections", str(CONNECTIONS)])


def test_it_counts_answers_and_keeps_to_its_connections(client_service: Screener) -> None:
    """As many at a time as it was told, every answer counted once, and its own cost said."""
    result = _bench(client_service, "--json")
    assert 0 == result.exit_code, result.output
    figures = json.loads(result.output)
    assert {"200": sum(client_service.asked.values()) - 1} == figures["statuses"]
    assert client_service.most_under_way <= CONNECTIONS
    assert figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert {"route", "requests_per_s", "own_cpu_share", "unanswered"} <= figures.keys()


def test_it_waits_where_it_is_told_to_come_again(client_service: Screener) -> None:
    """Each connection hears one 503 and asks no more in that second; the program says that not all was served."""
    client_service.is_busy = True
    result = _bench(client_service, "--route", "messages")
    assert 1 == result.exit_code
    assert f"{CONNECTIONS} x 503" in result.output
    assert CONNECTIONS == client_service.asked["/messages "]


def test_an_unknown_route_is_wrong_usage(client_service: Screener) -> None:
    """Nothing is asked."""
    assert 2 == _bench(client_service, "--route", "everything").exit_code
    assert 0 == sum(client_service.asked.values())
