"""What all tests share: free ports, and a whole running Vestibule that is driven like a user would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, settings

from retrying import RetryingTransport
from servers import ports
from servers.dynamodb import dynamodb_server
from servers.otlp import OtlpReceiver
from servers.postgresql import postgresql_server
from servers.receivers import running

__all__ = ["dynamodb_server", "postgresql_server"]
# On a busy machine any example may take long, and so may drawing it: neither is a failure. Each run has the same
# examples, so that a change is judged by what it changes; `make random` looks for others.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="VESTIBULE_RANDOM_EXAMPLES" not in os.environ,
)
settings.load_profile("patient")
TOKEN = "SECRET_TOKEN"
READY_TIMEOUT_S = 150
STOP_TIMEOUT_S = 30
# As many as threads share a client: whatever is beyond the limit is closed, sometimes under another thread's hands.
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=200)
_clients = count()


def wait_until(
    condition: Callable[[], Any], timeout_s: float = 60, what: str = "the condition", every_s: float = 0.05
) -> Any:
    """Return what `condition` returns as soon as that is true; look every `every_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        time.sleep(every_s)


def own_address() -> str:
    """Return a loopback address to call from: what one test sends does not count against the limits of another's."""
    number = next(_clients)
    return f"127.1.{number // 250 % 250}.{number % 250 + 1}"


@dataclass
class System:
    """A running Vestibule: where it listens, where it keeps what, and its processes."""

    process: subprocess.Popen[bytes]
    base_port: int
    data_dir: Path
    output: Path
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self._client(TOKEN, httpx.HTTPTransport(limits=LIMITS, trust_env=False))

    def _client(self, token: str, transport: httpx.BaseTransport) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=40, transport=transport)

    def client(self, token: str = TOKEN) -> httpx.Client:
        """Return a client that asks again where a service is unavailable, with an address of its own."""
        transport = httpx.HTTPTransport(limits=LIMITS, trust_env=False, local_address=own_address())
        return self._client(token, RetryingTransport(transport))

    def ask_again(self) -> "System":
        """Ask again from now on where a service is unavailable, and return this system."""
        self.http.close()
        self.http = self.client()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.base_port}"

    def part_url(self, offset: int) -> str:
        return f"http://127.0.0.1:{self.base_port + offset}"

    def log_lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the lines of app.log that have all the wanted fields."""
        lines = [json.loads(line) for line in (self.data_dir / "logs" / "app.log").read_text().splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]

    def reports(self, kind: str = "") -> list[Path]:
        return sorted((self.data_dir / "error_reports").glob(f"*_{kind}*.txt"))

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return the parts of this system whose command line holds all the words."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [part for part in family if all(word in command_line(part) for word in words)]

    def add(self, key: str, value: str) -> httpx.Response:
        return self.http.post("/add", json={"key": key, "value": value})

    def everything_written(self) -> bytes:
        """Return all bytes that people and programs can read beside the store and the queue: logs, reports, output.

        What the client service has logged until now is among them.
        """
        if self.process.poll() is None:
            last = self.http.get("/nowhere").headers["x-request-id"]
            wait_until(lambda: self.log_lines(request_id=last), what="the line of the last request")
        files = [*(self.data_dir / "logs").rglob("*"), *(self.data_dir / "error_reports").rglob("*"), self.output]
        return b"\n".join(map(content_of, files))

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(STOP_TIMEOUT_S)


def content_of(path: Path) -> bytes:
    """Return what is in a file, and nothing where that is no file, or none any more: files are moved and removed."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


# Each start takes less time without a console and with one client process; what needs more says so.
SMALL, WITH_CONSOLE = {"VESTIBULE_CONSOLE": "off", "VESTIBULE_CLIENT_PROCESSES": "1"}, {"VESTIBULE_CONSOLE": "on"}


def start_system(data_dir: Path, output: Path, *options: str, **environment: str) -> System:
    """Start `vestibule up`, small unless more is asked for, and return when everything is ready."""
    base_port = ports.free_row(5)[0]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    variables |= {**SMALL, **environment}
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(data_dir), "--base-port", str(base_port)]
    output.write_bytes(b"")
    # To append: what is written at a place of its own would overwrite what another process wrote there meanwhile.
    with output.open("ab") as sink:
        process = subprocess.Popen(
            [*command, *options],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=variables,
        )
    system = System(process, base_port, data_dir, output)

    def is_ready() -> bool:
        assert process.poll() is None, output.read_text()[-3000:]
        return b"curl" in output.read_bytes()

    wait_until(is_ready, READY_TIMEOUT_S, f"readiness ({output})")
    return system


def end_system(system: System) -> None:
    """Stop a system and make sure that nothing of it is left, whatever the test did to it."""
    family = []
    if system.process.poll() is None:
        family = psutil.Process(system.process.pid).children(recursive=True)
    try:
        system.stop()
    except subprocess.TimeoutExpired:
        system.process.kill()
        system.process.wait(5)
    for left in psutil.wait_procs(family, timeout=5)[1]:
        left.kill()


StartSystem = Callable[..., System]


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A Vestibule with its own limits that a whole session of tests shares; they must not hurt it.

    They may show it few unknown tokens: after 30 in a minute an address gets a 429.
    """
    home = tmp_path_factory.mktemp("shared")
    running = start_system(home / "var", home / "output.log").ask_again()
    yield running
    end_system(running)


@contextmanager
def starting(folder: Path) -> Iterator[StartSystem]:
    """Give what starts systems in `folder`, and end them afterwards."""
    started: list[System] = []

    def start_one(*options: str, name: str = "own", **environment: str) -> System:
        running = start_system(folder / name, folder / f"{name}.log", *options, **environment)
        started.append(running)
        return running

    try:
        yield start_one
    finally:
        for running in started:
            end_system(running)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartSystem]:
    """Starts systems of the test's own, which it may hurt."""
    with starting(tmp_path) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSystem]:
    """Starts systems that the tests of a module share."""
    with starting(tmp_path_factory.mktemp("module")) as start_one:
        yield start_one


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A collector of the test's own."""
    with running(OtlpReceiver()) as own:
        yield own


@pytest.fixture(scope="module")
def module_receiver() -> Iterator[OtlpReceiver]:
    """A collector that the tests of a module share."""
    with running(OtlpReceiver()) as shared:
        yield shared


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on, nor on the three that follow it."""
    return ports.free_row(4)[0]


@pytest.fixture
def free_ports() -> Callable[[int], range]:
    """The function that finds ports which follow each other and that nobody listens on."""
    return ports.free_row


@pytest.fixture(scope="session")
def own_ports() -> range:
    """The ports that this process of the test run may take."""
    return ports.own_ports()


@pytest.fixture(name="content_of", scope="session")
def content_of_fixture() -> Callable[[Path], bytes]:
    """The function that reads a file that may be gone."""
    return content_of


@pytest.fixture(name="wait_until", scope="session")
def wait_until_fixture() -> Callable[..., Any]:
    """The function that waits for a condition."""
    return wait_until
