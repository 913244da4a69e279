"""Real processes for these tests: a supervisor with a real Redis and small stand-ins for the services."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from vestibule.cli.embedded.data_directory import DataDirectory, prepare_data_directory
from vestibule.cli.embedded.redis_server import RedisServer, prepare_redis_server

PROGRAM = Path(__file__).with_name("stand_in_system.py")


class System:
    """A running `stand_in_system.py` and what it printed."""

    def __init__(self, directory: Path, *descriptions: str) -> None:
        self.directory = directory
        self.output = directory.with_suffix(".out")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(directory), *descriptions],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.seen: dict[int, psutil.Process] = {}

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def ends(self) -> list[str]:
        """Return the names of the stand-ins that ended in peace, in the order of their ends."""
        path = self.directory / "ends"
        return path.read_text().split() if path.exists() else []

    def descendants(self) -> list[psutil.Process]:
        """Return every process below the supervisor, and remember it."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        self.seen |= {process.pid: process for process in found}
        return found

    def find(self, word: str) -> psutil.Process:
        """Return the one process started by the supervisor that has `word` in its command line."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if f" {word}" in " ".join(child.cmdline()))

    def wait_for(self, text: str, timeout_s: float = 60) -> None:
        """Wait until the supervisor has printed `text`."""
        wait_until(lambda: text in self.text or self.process.poll() is not None, timeout_s)
        assert text in self.text, self.text

    def survivors(self) -> list[psutil.Process]:
        """Return those of the processes seen that still run."""
        return [process for process in self.seen.values() if is_running(process)]

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.descendants()
            self.process.kill()
        self.process.wait()
        for process in self.survivors():
            process.kill()


def is_running(process: psutil.Process) -> bool:
    """Say whether the process does anything still: a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until the condition holds, and fail where it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, f"the condition did not come true within {timeout_s} s"
        time.sleep(0.02)


@pytest.fixture
def until() -> Callable[..., None]:
    """Lend `wait_until` to the tests."""
    return wait_until


@pytest.fixture
def runs() -> Callable[[psutil.Process], bool]:
    """Lend `is_running` to the tests."""
    return is_running


@pytest.fixture
def start_system(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Lend a function that starts a system in the test's own directory."""
    systems: list[System] = []

    def start(*descriptions: str) -> System:
        systems.append(System(tmp_path / "data", *descriptions))
        return systems[-1]

    yield start
    for system in systems:
        system.end()


@pytest.fixture
def start_program() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Lend a function that runs a Python text as a program of its own session."""
    programs: list[subprocess.Popen[str]] = []

    def start(text: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        program = subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **environment},
        )
        programs.append(program)
        return program

    yield start
    for program in programs:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()


@pytest.fixture
def start_redis() -> Iterator[Callable[[Path], tuple[redis.Redis, RedisServer]]]:
    """Lend a function that starts a server for a data directory and returns a client."""
    running: list[tuple[subprocess.Popen[bytes], redis.Redis, RedisServer]] = []

    def start(path: Path) -> tuple[redis.Redis, RedisServer]:
        directory = DataDirectory(path)
        prepare_data_directory(directory)
        server = prepare_redis_server(directory)
        process = subprocess.Popen([server.program, server.configuration])
        client = redis.Redis.from_url(server.url)
        running.append((process, client, server))
        wait_until(lambda: answers(client))
        return client, server

    yield start
    for process, client, server in running:
        client.close()
        process.terminate()
        process.wait()
        server.clean_up()


def answers(client: redis.Redis) -> bool:
    """Say whether the server is there."""
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
