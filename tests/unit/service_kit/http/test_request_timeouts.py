"""Connections beyond what the machine allows: those that have waited longest make room."""

import http.client
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

SERVER = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
from fastapi import FastAPI
from vestibule.service_kit.http.server import run_server
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.wiring import ServiceFrame, attach_frame

app = FastAPI()
attach_frame(app, ServiceFrame("bare", Metrics("bare")))

@app.get("/")
async def answer():
    return "here"

run_server(app, ServiceSettings(port=int(sys.argv[1])))
"""


def test_where_descriptors_run_out_those_who_hold_them_longest_make_room(
    free_port: int, wait_until: Callable[..., Any]
) -> None:
    """With more silent connections than the process may have descriptors, a new caller is still answered."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(free_port)])
    silent: list[socket.socket] = []

    def status() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", free_port, timeout=60)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()

    try:
        wait_until(lambda: status() == 200, what="the server")
        for _ in range(400):
            silent.append(socket.create_connection(("127.0.0.1", free_port), 60))
        assert [200] * 3 == [status() for _ in range(3)]
        assert b"" == silent[0].recv(1)
    finally:
        for connection in silent:
            connection.close()
        server.terminate()
        server.wait(60)
