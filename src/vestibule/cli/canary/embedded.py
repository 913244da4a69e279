"""Starts and stops the systems that the proof tests, one for each policy action."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from vestibule.cli.canary.proof import ProofTarget

READY_WITHIN_S = 90
STOPPED_WITHIN_S = 15
TOKEN = "SECRET_TOKEN"  # noqa: S105 - the published development token


class NotReady(Exception):
    """The test system did not start; the message has the end of its output."""


@contextmanager
def running_system(action: str) -> Iterator[ProofTarget]:
    """Start `vestibule up` with `action` as its policy, in a directory of its own; end it afterwards.

    Raises:
        NotReady: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="vestibule-canary-") as home:
        data_dir, output, port = Path(home, "var"), Path(home, "output"), _free_port()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(data_dir), "--base-port", str(port)]
        # To append: what is written at a place of its own would overwrite what `--plant` wrote meanwhile.
        with output.open("ab") as sink:
            system = subprocess.Popen(  # noqa: S603 - our own program
                command, stdout=sink, stderr=subprocess.STDOUT, env={**variables, "VESTIBULE_POLICY": action}
            )
        try:
            _wait_until_ready(system, port, output)
            yield ProofTarget(
                url=f"http://127.0.0.1:{port}",
                token=TOKEN,
                service_urls=[f"http://127.0.0.1:{port + offset}" for offset in range(4)],
                data_dir=data_dir,
                redis_url=redis_url_of(data_dir),
                outputs=[output],
                is_own=True,
                keeps_keys=action in ("alert", "ignore"),
            )
        finally:
            system.send_signal(signal.SIGTERM)
            system.wait(STOPPED_WITHIN_S)


def redis_url_of(data_dir: Path) -> str | None:
    """Return the address of the Redis that embedded mode runs in `data_dir`, None where it runs none."""
    configuration = data_dir / "redis" / "redis.conf"
    if not configuration.exists():
        return None
    for line in configuration.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "unixsocket":
            path = value.strip().strip('"')
            return f"unix://{path}"
    return None


def _wait_until_ready(system: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while b"Vestibule is ready" not in output.read_bytes():
        if system.poll() is not None or time.monotonic() > deadline:
            raise NotReady(output.read_text(errors="replace")[-2000:])
        time.sleep(0.1)
    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10, trust_env=False).raise_for_status()


def _free_port() -> int:
    """Return a port that is free together with the three that follow it.

    It is below the range that systems take for outgoing connections: one of those could have it by the time we bind.
    """
    for first in random.sample(range(10_000, 32_000, 4), 1000):
        if all(_is_free(port) for port in range(first, first + 4)):
            return first
    raise NotReady("no four free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
