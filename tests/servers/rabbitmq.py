"""A RabbitMQ of the tests' own, where one is installed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers import ports

START_TIMEOUT_S = 60
LOOPBACK = "127.0.0.1"
# The program beneath Debian's wrapper, which runs as root or as one user alone.
HOME_OF_PROGRAMS, PROGRAM = Path("/usr/lib/rabbitmq/lib"), "*/sbin/rabbitmq-server"


@dataclass
class Rabbit:
    """One node, which can be killed and started again on the same data."""

    folder: Path
    ports: tuple[int, int, int]
    program: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        # The user that a new node has, good on loopback alone.
        return f"amqp://guest:guest@{LOOPBACK}:{self.ports[0]}//"

    def start(self) -> None:
        with (self.folder / "output.log").open("ab") as output:
            self.process = subprocess.Popen(
                [self.program], env=self._environment(), stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "output.log").read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def end(self) -> None:
        self.kill()
        # The register of Erlang's nodes outlives them.
        subprocess.run(["epmd", "-kill"], env=self._environment(), capture_output=True, timeout=10, check=False)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.ports[0]), 2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(8))
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        port, distribution, register = map(str, self.ports)
        folder = self.folder
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"vestibule{port}@localhost",
            "RABBITMQ_NODE_PORT": port,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_DIST_PORT": distribution,
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "ERL_EPMD_PORT": register,
            "ERL_EPMD_ADDRESS": LOOPBACK,
        }


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Rabbit]:
    """Run a node meanwhile."""
    programs = [str(path) for path in HOME_OF_PROGRAMS.glob(PROGRAM)]
    if not programs or shutil.which("epmd") is None:
        pytest.skip("needs rabbitmq (Debian: apt install rabbitmq-server)")
    folder.mkdir(exist_ok=True)
    rabbit = Rabbit(folder, (ports.free_port(), ports.free_port(), ports.free_port()), programs[0])
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.end()
