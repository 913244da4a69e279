"""A wait that ends before the task loses no task."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

TASK_ID = "88e00654-eccf-49fb-841b-900deeadcab9"
ACCEPTED = f'{{"task_id": "{TASK_ID}", "status_url": "/tasks/{TASK_ID}"}}'.encode()
GOES_ON = f"vestibule: `vestibule task wait {TASK_ID}` goes on waiting\n"


@contextmanager
def _waiting(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator["subprocess.Popen[str]"]:
    """Run `vestibule run note --wait 1m` with a service that accepts the task, and answers whether it has ended."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(202)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ACCEPTED)))
            self.end_headers()
            self.wfile.write(ACCEPTED)

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_ignored: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-m", "vestibule", "run", "note", "--wait", "1m"]
        environment = {**os.environ, "VESTIBULE_URL": f"http://127.0.0.1:{server.server_port}"}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as program:
            yield program
        server.shutdown()


def test_ctrl_c_during_a_wait_says_the_id() -> None:
    """The task goes on, and its id was not printed yet; the exit code is that of an interrupted program."""
    is_waiting, has_ended = Event(), Event()

    def keep_silent(_request: BaseHTTPRequestHandler) -> None:
        is_waiting.set()
        has_ended.wait(60)

    with _waiting(keep_silent) as program:
        assert is_waiting.wait(60)
        program.send_signal(signal.SIGINT)
        _, shown = program.communicate(timeout=60)
        has_ended.set()
    assert (130, GOES_ON) == (program.returncode, shown)


def test_a_service_that_is_gone_during_a_wait_says_the_id() -> None:
    """Before the reason, with the exit code of a service that is not reachable."""

    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    with _waiting(hang_up) as program:
        _, shown = program.communicate(timeout=60)
    assert 7 == program.returncode
    assert shown.startswith(f"{GOES_ON}vestibule: Vestibule is not reachable")
