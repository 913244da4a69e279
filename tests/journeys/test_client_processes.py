"""The client service in several processes: one service to its callers, whichever process serves them."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

pytestmark = pytest.mark.slow
TOKEN = "SECRET_TOKEN"
CALLERS = 8


@pytest.fixture(scope="module")
def system(start_for_module: Any) -> Any:
    """A system whose client service has two processes; each test leaves two that serve."""
    return start_for_module("--client-processes", "2", VESTIBULE_SHUTDOWN_DRAIN_S="1")


def processes_of(system: Any) -> list[psutil.Process]:
    """Return the processes that serve the port, by their numbers."""
    return sorted(system.processes("serve client, process"), key=lambda one: str(one.cmdline()))


def is_whole(system: Any) -> bool:
    """Say whether both processes serve."""
    with httpx.Client() as client:
        return client.get(f"{system.url}/readyz").status_code == 200 and len(processes_of(system)) == 2


@contextmanager
def connections(system: Any, count: int, address: str = "127.0.0.1") -> Iterator[list[httpx.Client]]:
    """Open so many connections from a loopback address, each with its client; half of them are with each process."""
    given = {"base_url": system.url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    clients = [httpx.Client(transport=httpx.HTTPTransport(local_address=address), **given) for _ in range(count)]
    try:
        for client in clients:
            client.get("/health").raise_for_status()
        yield clients
    finally:
        for client in clients:
            client.close()


def count_connections(system: Any, ports: set[int]) -> list[int]:
    """Return how many of the connections from `ports` each process has."""
    found = [process.net_connections("tcp") for process in processes_of(system)]
    return [sum(bool(one.raddr) and one.raddr.port in ports for one in each) for each in found]


def requests_counted(client: httpx.Client) -> int:
    """Return the number of accepted `/add` in the metrics."""
    text = client.get("/metrics").text
    found = re.search(r'^vestibule_requests_total\{method="POST",route="/add",[^}]*status="200"\} (\S+)$', text, re.M)
    return int(float(found[1])) if found else 0


@dataclass
class Load:
    """Callers who store pairs without a pause, and what they were answered."""

    port: int
    name: str
    answered: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    is_over: bool = False
    is_new: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, act: Callable[[], Any]) -> None:
        """Call while `act`, a coroutine, runs."""
        callers = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]
        await act()
        self.is_over = True
        await asyncio.gather(*callers)

    async def until_answered(self, more: int) -> None:
        """Wait until so many more were answered."""
        wanted = len(self.answered) + more
        async with asyncio.timeout(60):
            while len(self.answered) < wanted:
                self.is_new.clear()
                await self.is_new.wait()

    async def _call(self, caller: int) -> None:
        number = 0
        while not self.is_over:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                return
            try:
                while not self.is_over:
                    number += 1
                    if await self._add(reader, writer, f"{self.name}/{caller}/{number}"):
                        break
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                writer.close()

    async def _add(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> bool:
        """Store a pair, and say whether the connection ends."""
        body = json.dumps({"key": key, "value": f"value of {key}"}).encode()
        head = f"POST /add HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        status = int(answer.split()[1])
        self.statuses[status] += 1
        if status == 200:
            self.answered[key] = f"value of {key}"
            self.is_new.set()
        return b"connection: close" in answer


def assert_stored(system: Any, load: Load) -> None:
    """Check that everything that was answered can be read."""
    with httpx.Client(base_url=system.url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        found = {key: client.get("/read", params={"key": key}).json().get("value") for key in load.answered}
    assert load.answered == found


def test_each_process_gets_half_of_the_connections(system: Any, wait_until: Callable[..., Any]) -> None:
    """Of ten connections at once each of two processes serves five; and so again, when those are closed."""
    for _ in range(3):
        with ExitStack() as stack:
            opened = [stack.enter_context(socket.create_connection(("127.0.0.1", system.base_port))) for _ in range(10)]
            ports = {one.getsockname()[1] for one in opened}
            wait_until(lambda ports=ports: sum(count_connections(system, ports)) == 10, what="the connections")
            # One more or less where a probe has a connection too.
            assert max(count_connections(system, ports)) <= 6
        wait_until(lambda ports=ports: sum(count_connections(system, ports)) == 0, what="their end")


def test_metrics_are_those_of_all_processes(system: Any) -> None:
    """Whichever process answers, each request is counted once, also those of the moment before."""
    with connections(system, 4) as clients:
        counted = requests_counted(clients[0])
        for number, client in enumerate(clients * 3, 1):
            client.post("/add", json={"key": "counted", "value": "plain"}).raise_for_status()
            assert counted + number == requests_counted(clients[number % 4])
        assert 1 == clients[0].get("/metrics").text.count("\nvestibule_build_info{")


def test_unknown_tokens_are_limited_over_all_processes(system: Any) -> None:
    """The limit of an address holds whichever processes it asks, and is reported once."""
    with connections(system, 4, "127.0.0.2") as clients:
        headers = {"Authorization": "Bearer unknown"}
        statuses = [clients[number % 4].get("/keys", headers=headers).status_code for number in range(34)]
        assert [401] * 29 == statuses[:29]
        assert [429] * 3 == statuses[-3:]
        # What others count arrives a moment later.
        assert {401, 429} >= set(statuses[29:31])
        # A known token is served as before.
        assert 200 == clients[0].get("/keys").status_code
        alerts = clients[1].get("/alerts", params={"type": "InvalidToken", "severity": "critical"}).json()["alerts"]
    assert 1 == len(alerts)


def test_a_quota_is_that_of_all_processes(system: Any) -> None:
    """A token may send as many requests a minute as its quota says, to whichever processes they go."""
    with connections(system, 4) as clients:
        made = {"name": "limited", "scopes": ["add"], "quota": {"requests_per_minute": 20}}
        bearer = {"Authorization": f"Bearer {clients[0].post('/tokens', json=made).json()['token']}"}
        pair = {"key": "of-quota", "value": "plain"}
        statuses = [clients[number % 4].post("/add", json=pair, headers=bearer).status_code for number in range(48)]
    # At the turn of a minute it begins anew, once; what others admit arrives a moment later.
    admitted = statuses.count(200)
    assert {200, 429} == set(statuses)
    assert 20 <= admitted <= 23 or 40 <= admitted <= 46


def test_what_one_process_changes_holds_in_the_other(system: Any) -> None:
    """A token that was created or revoked by way of one process is known, or no longer accepted, in all of them."""
    with connections(system, 2) as (first, second):
        for one, other in ((first, second), (second, first)):
            created = one.post("/tokens", json={"name": "shared", "scopes": ["add"]}).json()
            bearer = {"Authorization": f"Bearer {created['token']}"}
            pair = {"key": "of-token", "value": "plain"}
            assert 200 == other.post("/add", json=pair, headers=bearer).status_code
            assert 200 == one.delete(f"/tokens/{created['id']}").status_code
            assert 401 == other.post("/add", json=pair, headers=bearer).status_code


def test_readiness_is_that_of_all_processes(system: Any, wait_until: Callable[..., Any]) -> None:
    """While a process does not go on, the other answers, and says that the service is not ready; then it is again."""
    frozen = processes_of(system)[0]
    frozen.suspend()
    try:
        # New connections go to those that go on.
        wait_until(lambda: asks_other(system) == 503, what="the frozen process to be missed")
    finally:
        frozen.resume()
    wait_until(lambda: is_whole(system), what="both processes")


def asks_other(system: Any) -> int | None:
    try:
        return httpx.get(f"{system.url}/readyz", timeout=1).status_code
    except httpx.TimeoutException:
        return None


def test_a_killed_process_loses_nothing_and_is_replaced(system: Any, wait_until: Callable[..., Any]) -> None:
    """Under load a process is killed: what was answered is stored, no count falls, and another takes its place."""
    parent, (killed, other) = system.processes("serve client")[0].pid, processes_of(system)
    load = Load(system.base_port, "killed")
    counts = []

    async def kill() -> None:
        await load.until_answered(100)
        async with httpx.AsyncClient(base_url=system.url) as client:
            counts.append(await asyncio.to_thread(lambda: requests_counted(httpx.Client(base_url=system.url))))
            killed.kill()
            await load.until_answered(100)
            counts.append(await asyncio.to_thread(lambda: requests_counted(httpx.Client(base_url=system.url))))
            assert 200 == (await client.get("/health")).status_code

    asyncio.run(load.run(kill))
    wait_until(lambda: is_whole(system), what="the replacement")
    assert {200} == set(load.statuses)
    assert counts[0] < counts[1]
    assert_stored(system, load)
    assert parent == system.processes("serve client")[0].pid
    assert other.pid in {one.pid for one in processes_of(system)}
    assert killed.pid not in {one.pid for one in processes_of(system)}
    replaced = wait_until(lambda: system.log_lines(event="process_replaced"), what="the line of the replacement")
    assert [("client", "was killed by SIGKILL")] == [(line["service"], line["exit_reason"]) for line in replaced]


def test_a_process_that_is_asked_to_end_resets_no_connection(system: Any, wait_until: Callable[..., Any]) -> None:
    """Under load SIGTERM ends one process: its callers go to the others, and no request is without an answer."""
    leaving = processes_of(system)[1]
    load = Load(system.base_port, "leaving")

    async def end() -> None:
        await load.until_answered(100)
        leaving.terminate()
        await asyncio.to_thread(leaving.wait, 30)
        await load.until_answered(100)

    asyncio.run(load.run(end))
    wait_until(lambda: is_whole(system), what="the replacement")
    assert 0 == load.broken
    assert {200} == set(load.statuses)
    assert_stored(system, load)


def test_a_shutdown_under_load_resets_no_connection(system: Any) -> None:
    """SIGTERM under load: each request that a process got is answered, then the port is closed; nothing is left."""
    family = [system.process, *psutil.Process(system.process.pid).children(recursive=True)]
    load = Load(system.base_port, "shutdown")

    async def stop() -> None:
        await load.until_answered(100)
        system.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(system.process.wait, 30)

    asyncio.run(load.run(stop))
    assert 0 == load.broken
    assert {200} == set(load.statuses)
    assert not [one for one in family[1:] if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_start_that_is_refused_is_told_once(tmp_path: Path, free_port: int) -> None:
    """Two processes that cannot start end as one would: with its exit code and one message."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    environment |= {"VESTIBULE_DATA_DIR": str(tmp_path), "VESTIBULE_PORT": str(free_port)}
    command = [sys.executable, "-m", "vestibule", "serve", "client"]
    ended = subprocess.run(
        command, env={**environment, "VESTIBULE_CLIENT_PROCESSES": "2"}, capture_output=True, text=True, timeout=60
    )
    assert (os.EX_CONFIG, 1) == (ended.returncode, ended.stderr.count("cannot start")), ended.stderr
