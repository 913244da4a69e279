"""A proxy before a service that loses answers: what it was asked for happens, and whoever asked never hears of it."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
Matches = Callable[[BaseHTTPRequestHandler], bool]


@dataclass
class LosingProxy:
    """Passes requests on to `port` of this machine; `losing` names those whose answers are lost from now on."""

    port: int
    url: str = ""
    losing: Matches = field(default=lambda _request: False)
    lost: int = 0

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Have a request answered by the service, and hand the answer back or lose it."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        upstream.request(request.command, request.path, body, dict(request.headers))
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if self.losing(request):
            self.lost += 1
            request.close_connection = True
            return
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def losing_proxy(port: int) -> Iterator[LosingProxy]:
    """Give a proxy before the service on `port`."""
    proxy = LosingProxy(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            proxy.pass_on(self)

        def do_POST(self) -> None:
            proxy.pass_on(self)

        def do_DELETE(self) -> None:
            proxy.pass_on(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
