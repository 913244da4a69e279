"""The health check of containers."""

import http.server
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from vestibule.cli import probe


@pytest.fixture
def port() -> Iterator[int]:
    """A service that lives and is not ready."""

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_ignored: object) -> None:
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def outcome(monkeypatch, *arguments: str) -> object:
    monkeypatch.setattr("sys.argv", ["vestibule-probe", *arguments])
    with pytest.raises(SystemExit) as ended:
        probe.run()
    return ended.value.code


def test_a_service_is_asked(monkeypatch, port):
    """It lives; it is not ready; and nobody is there."""
    monkeypatch.setenv("VESTIBULE_PORT", str(port))
    assert outcome(monkeypatch) is None
    assert "/readyz answers 503" == outcome(monkeypatch, "/readyz")
    monkeypatch.setenv("VESTIBULE_PORT", "1")
    assert "port 1 does not answer (ConnectionRefusedError)" == outcome(monkeypatch)


def test_a_worker_is_known_by_its_file(monkeypatch, tmp_path):
    """It is there and young, also by the name of its host; old; or not there."""
    sign = tmp_path / "worker1.ready"
    assert "no heartbeat" in str(outcome(monkeypatch, str(sign)))
    sign.touch()
    assert outcome(monkeypatch, str(sign)) is None
    by_host = tmp_path / f"worker-{socket.gethostname()}.ready"
    by_host.touch()
    assert outcome(monkeypatch, str(tmp_path / "worker-%h.ready")) is None
    os.utime(sign, (0, 0))
    assert "s old" in str(outcome(monkeypatch, str(sign)))
