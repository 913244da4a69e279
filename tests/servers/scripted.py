"""A server that follows a script: its answers, one after the other, whatever it is asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

# Instead of an answer: the connection is closed.
LOST = object()


@dataclass
class Script:
    """The answers that a server gives one after the other, and the requests that it got."""

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def will(self, *answers: Any) -> "Script":
        """Answer so; the last one again and again."""
        self.answers, self.requests = list(answers), []
        return self

    def headers(self, name: str) -> list[str | None]:
        """Return a header of each request."""
        return [headers.get(name) for _, _, headers, _ in self.requests]


def problem(slug: str, status: int, headers: dict[str, str] | None = None, **extra: Any) -> tuple[Any, ...]:
    """Return a problem document as an answer."""
    document = {"type": f"/problems/{slug}", "title": "T", "status": status, "detail": "D.", "instance": "urn:x"}
    return status, document | extra, {"Content-Type": "application/problem+json", **(headers or {})}


@contextmanager
def scripted_server() -> Iterator[Script]:
    """Give the script of a server."""
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append((self.command, self.path, sent, body))
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if answer is LOST:
                self.close_connection = True
                return
            status, content, headers = (*answer, {})[:3]
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response_only(status)
            for name, value in {"Content-Type": "application/json", "X-Request-ID": "req-1", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "DELETE", "PATCH"):
        setattr(Handler, f"do_{method}", Handler._serve)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
