"""What the tests of alerts share: a real server on loopback that is notified."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


class Posted(NamedTuple):
    """One post that the server got; the names of `headers` are in lower case."""

    path: str
    headers: dict[str, str]
    body: str


class NotifiedServer(ThreadingHTTPServer):
    """Keeps what is posted, and answers with `status`, or as `statuses` says where path or body holds a word of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[Posted] = []
        self.status = 200
        self.statuses: dict[str, int] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: NotifiedServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.posted.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        told = (status for word, status in self.server.statuses.items() if word in self.path + body)
        self.send_response(next(told, self.server.status))
        self.send_header("Location", f"http://{self.server.address}/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[NotifiedServer]:
    """A real server on loopback."""
    server = NotifiedServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)
