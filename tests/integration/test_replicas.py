"""Two real schedulers on one store."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import ports
from vestibule.encryption import create_key_ring
from vestibule.service_kit.auth.token_file import create_token

# Long enough that a holder on a busy machine is never taken for dead.
LEASE_S = 8
WITHIN_S = 60
Until = Callable[..., Any]


@dataclass
class Process:
    """A service that runs, with what it has logged."""

    child: "subprocess.Popen[bytes]"
    port: int
    output: Path
    token: str

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        found = (json.loads(line) for line in self.output.read_text().splitlines() if line.startswith("{"))
        return [line for line in found if all(line.get(name) == value for name, value in wanted.items())]

    def ask(self, path: str, method: str = "GET") -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.request(
            method, f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False, timeout=20
        )
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def is_there(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def role(self) -> str:
        return str(self.ask("/status")["role"])

    def end(self) -> None:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
            self.child.wait(20)


class House:
    """Starts services that share a data directory, a secret and a store."""

    def __init__(self, folder: Path, stack: ExitStack, wait_until: Until) -> None:
        create_key_ring(folder / "keys" / "keyring.json")
        (folder / "keys" / "service_secret").write_text("s" * 43)
        self.token, _ = create_token(folder / "keys" / "tokens.json", "ops", ["status", "heartbeat", "maintenance"])
        self._folder = folder
        self._stack = stack
        self._wait_until = wait_until
        self.database_url = ""

    def start(self, service: str, port: int | None = None) -> Process:
        port = port or ports.free_port()
        output = self._folder / f"{service}-{port}.log"
        environment = {
            "VESTIBULE_DATA_DIR": str(self._folder),
            "VESTIBULE_PORT": str(port),
            "VESTIBULE_DATABASE_SERVICE_URL": self.database_url,
            "VESTIBULE_CLIENT_SERVICE_URL": f"http://127.0.0.1:{ports.free_port()}",
            "VESTIBULE_BUSINESS_LOGIC_URL": "",
            "VESTIBULE_REDIS_URL": f"unix://{self._folder}/no-redis.sock",
            "VESTIBULE_PROBE_INTERVAL_S": "0.3",
            "VESTIBULE_PROBE_START_GRACE_S": "0",
            "VESTIBULE_LEASE_S": str(LEASE_S),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        command = [sys.executable, "-m", "vestibule", "serve", service]
        with output.open("ab") as sink:
            child = subprocess.Popen(command, env={**kept, **environment}, stdout=sink, stderr=subprocess.STDOUT)
        process = Process(child, port, output, self.token)
        self._stack.callback(process.end)
        self._wait_until(process.is_there, WITHIN_S, f"the {service} service")
        return process

    def alerts(self, kind: str, subject: str) -> int:
        reports = [path.read_text() for path in (self._folder / "error_reports").glob(f"*_{kind}_*.txt")]
        return sum(f"Subject: {subject}\n" in text for text in reports)


@pytest.fixture
def house(tmp_path: Path, wait_until: Until) -> Iterator[House]:
    """A house with a store."""
    with ExitStack() as stack:
        house = House(tmp_path, stack, wait_until)
        house.database_url = f"http://127.0.0.1:{house.start('database').port}"
        yield house


def _probes(process: Process) -> list[str]:
    return [line["timestamp"] for line in process.lines(event="probe")]


# Four services are started one after the other, which takes its time on a busy machine.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_one_works_and_another_takes_over(house: House, wait_until: Until) -> None:
    """Killed, frozen or stopped: the other goes on where the one was, and neither probes nor tells anything twice."""
    one = house.start("scheduler")
    assert "active" == one.role()
    other = house.start("scheduler")
    assert "passive" == other.role()
    # An outage that the first tells of, and a heartbeat that it misses.
    one.ask("/heartbeats/backup?period_s=0.2&grace_s=0", "POST")
    wait_until(lambda: house.alerts("ServiceDown", "client"), WITHIN_S, "the alert of the first")
    wait_until(lambda: house.alerts("HeartbeatMissed", "heartbeat:backup"), WITHIN_S, "the missed heartbeat")
    wait_until(lambda: _parts(other)["client"]["state"] == "down", WITHIN_S, "what the first wrote")
    assert ("active", []) == (one.role(), _probes(other))

    one.child.kill()
    one.child.wait(10)
    wait_until(lambda: other.role() == "active", WITHIN_S, "the take-over")
    wait_until(lambda: len(_probes(other)) > 20, WITHIN_S, "probes of the second")
    assert max(_probes(one)) < min(_probes(other))
    parts = _parts(other)
    assert ("down", 0.0) == (parts["client"]["state"], parts["client"]["availability"]["day"])

    # The first comes back and looks on, until the second falls asleep; awake, that one does nothing more.
    again = house.start("scheduler", one.port)
    assert "passive" == again.role()
    other.child.send_signal(signal.SIGSTOP)
    wait_until(lambda: again.role() == "active", WITHIN_S, "the take-over from one that is frozen")
    other.child.send_signal(signal.SIGCONT)
    wait_until(lambda: other.lines(event="leadership_changed", role="passive"), WITHIN_S, "that the second knows")
    asleep_until = other.lines(event="leadership_changed", role="passive")[-1]["timestamp"]
    other.ask("/heartbeats/backup?period_s=3600", "POST")
    wait_until(lambda: house.alerts("HeartbeatRecovered", "heartbeat:backup"), WITHIN_S, "the heartbeat's return")
    # What was under way when it fell asleep may have ended since: one probe a part at most.
    assert [] == [at for at in _probes(other) if at > asleep_until][6:]

    # Stopped in order, the lease is free at once.
    again.end()
    wait_until(lambda: other.role() == "active", WITHIN_S, "the take-over from one that was stopped")
    wait_until(lambda: _parts(other)["client"]["state"] == "down", WITHIN_S, "what the one before it knew")
    assert (1, 1) == (house.alerts("ServiceDown", "client"), house.alerts("HeartbeatMissed", "heartbeat:backup"))


def _parts(process: Process) -> dict[str, Any]:
    return {part["name"]: part for part in process.ask("/status")["parts"]}
