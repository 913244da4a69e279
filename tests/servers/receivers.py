"""Receivers of what leaves Vestibule: they keep what is posted to them over HTTP, and what is mailed over SMTP."""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar

Server = TypeVar("Server", bound=socketserver.BaseServer)


class Posted(NamedTuple):
    """A post that was received; the names of `headers` are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    """What a post is answered; a redirect leads to `location`, or else to `/elsewhere` of the receiver."""

    status: int = 200
    body: bytes = b"{}"
    location: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class HttpReceiver(ThreadingHTTPServer):
    """Keeps what is posted, and answers it as `answer` says."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, host: str = "127.0.0.1", answer: Callable[[Posted], Answer] = lambda _: Answer()) -> None:
        # Wherever this machine looks first when it hears that name.
        self.address_family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        super().__init__(address[:2], _Posts)  # type: ignore[arg-type]
        self.address = f"{host}:{self.server_port}"
        self.answer = answer
        self.posted: list[Posted] = []

    def url(self, path: str = "") -> str:
        return f"http://{self.address}{path}"


class _Posts(BaseHTTPRequestHandler):
    server: HttpReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        status, answer, location, headers = self.server.answer(posted)
        self.server.posted.append(posted)
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", location or self.server.url("/elsewhere"))
        for name, value in (*headers, ("Content-Length", str(len(answer)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class MailReceiver(socketserver.ThreadingTCPServer):
    """Takes mail as an SMTP server does (RFC 5321), with STARTTLS (RFC 3207) where it has a `context`.

    It keeps each mail, and each command behind `plain` or `tls`.
    """

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.port = int(self.server_address[1])
        self.context = context
        self.heard: list[str] = []
        self.mails: list[bytes] = []


class _Mail(socketserver.BaseRequestHandler):
    server: MailReceiver

    def handle(self) -> None:
        wire, context = self.request, self.server.context
        stream, is_safe = wire.makefile("rb"), False
        wire.sendall(b"220 ready\r\n")
        while line := stream.readline().decode().strip():
            verb = line.split()[0].upper()
            self.server.heard.append(f"{'tls' if is_safe else 'plain'} {verb}")
            if verb == "DATA":
                wire.sendall(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(stream.readline, b".\r\n")))
            wire.sendall(self._answer_to(verb))
            if verb == "QUIT":
                return
            if verb == "STARTTLS" and context is not None:
                try:
                    wire = context.wrap_socket(wire, server_side=True)
                except OSError:
                    return
                stream, is_safe = wire.makefile("rb"), True

    def _answer_to(self, verb: str) -> bytes:
        offer = b"250-STARTTLS\r\n" if self.server.context else b""
        greeting = b"250-here\r\n250-AUTH PLAIN\r\n" + offer + b"250 OK\r\n"
        others = {"EHLO": greeting, "STARTTLS": b"220 go\r\n", "AUTH": b"235 welcome\r\n", "QUIT": b"221 bye\r\n"}
        return others.get(verb, b"250 ok\r\n")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Have a server at work meanwhile."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
