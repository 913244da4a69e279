"""A small stand-in for a service: ready over HTTP, ends on SIGTERM, and writes down that it did.

Arguments: NAME PORT JOURNAL [stubborn | parent-of-one | broken | misconfigured].
"""

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from vestibule.runtime.parent_death import PARENT_PID_VARIABLE, die_with_parent


class Answers(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main(name: str, port: int, supervisor_log: Path, habit: str = "") -> None:
    """Serve until SIGTERM."""
    die_with_parent(int(os.environ.get(PARENT_PID_VARIABLE) or 0))
    if habit == "broken":
        sys.exit(3)
    if habit == "misconfigured":
        sys.exit(os.EX_CONFIG)
    if habit == "parent-of-one" and os.fork() == 0:
        while True:
            signal.pause()
    server = ThreadingHTTPServer(("127.0.0.1", port), Answers)

    def end(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, signal.SIG_IGN if habit == "stubborn" else end)
    server.serve_forever()
    with supervisor_log.open("a") as lines:
        lines.write(f"{name}\n")


main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
