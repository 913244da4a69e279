"""Starts and stops the systems that the proof tests, one for each policy action, and kills and fails their workers."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from vestibule.cli.canary.memory import memory_left
from vestibule.cli.canary.requests import Canary
from vestibule.cli.canary.sinks import ProofTarget
from vestibule.cli.embedded.parts import Address
from vestibule.cli.embedded.redis_server import redis_url_of
from vestibule.cli.embedded.start_checks import first_taken
from vestibule.cli.options import DEVELOPMENT_TOKEN

# The form to which values are sent, of any field.
FORM = "[forms.contact]\nother_fields = true\n"
READY_WITHIN_S = 90
RECOVERED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15
# What a test system takes, with something to spare.
NEEDED_MIB = 700


class SystemFailed(Exception):
    """The test system did not start, or did not recover from killed workers."""


def refuse_little_memory(left: int | None) -> None:
    """Refuse where the system would not fit beside what runs here, of which the kernel would end some.

    Raises:
        SystemFailed: fewer than `NEEDED_MIB` are left.
    """
    if left is not None and (left_mib := left // 2**20) < NEEDED_MIB:
        raise SystemFailed(
            f"it takes {NEEDED_MIB} MiB of memory, and {left_mib} are left to this container; nothing was started. "
            "Run it in a container of its own: podman run --rm localhost/microsvc canary"
        )


@contextmanager
def running_system(action: str) -> Iterator[ProofTarget]:
    """Start `vestibule up` with `action` as its policy, in its own directory; stop it afterwards.

    Raises:
        SystemFailed: it did not start; the message has the end of its output, or the memory that is missing.
    """
    refuse_little_memory(memory_left())
    with tempfile.TemporaryDirectory(prefix="vestibule-canary-") as home:
        data_dir, output, port = Path(home, "var"), Path(home, "output"), _free_port()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        data_dir.mkdir()
        (data_dir / "policy.toml").write_text(FORM)
        command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(data_dir), "--base-port", str(port)]
        # Opened to append: writing at a position would overwrite what `--plant` appends.
        with output.open("ab") as sink:
            system = subprocess.Popen(  # noqa: S603 - our own program
                command, stdout=sink, stderr=subprocess.STDOUT, env={**variables, "VESTIBULE_POLICY": action}
            )
        try:
            _wait_until_ready(system, port, output)
            yield ProofTarget(
                url=f"http://127.0.0.1:{port}",
                token=DEVELOPMENT_TOKEN,
                service_urls=[f"http://127.0.0.1:{port + offset}" for offset in range(4)],
                console_url=f"http://127.0.0.1:{port + 4}",
                data_dir=data_dir,
                redis_url=redis_url_of(data_dir),
                outputs=[output],
                is_own=True,
                keeps_keys=action in ("alert", "ignore"),
            )
        finally:
            system.send_signal(signal.SIGTERM)
            system.wait(STOPPED_WITHIN_S)


def kill_workers(data_dir: Path, http: httpx.Client, canaries: list[Canary]) -> None:
    """Send every value as a message, kill -9 all workers meanwhile, and wait until tasks succeed again; Linux only.

    Raises:
        SystemFailed: no task succeeded within a minute.
    """
    for canary in canaries:
        http.post("/messages", json={"text": canary.text})
    for process in _workers_of(data_dir):
        os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while time.monotonic() < deadline:
        accepted = http.post("/messages", json={"text": "are you there"})
        if accepted.status_code == 202:
            task = http.get(accepted.json()["status_url"], params={"wait": 5}).json()
            if task.get("state") == "succeeded":
                return
    raise SystemFailed("no task succeeded within a minute after the workers were killed")


def fail_tasks(data_dir: Path, redis_url: str, canaries: list[Canary]) -> None:
    """Queue every value for a processor that does not exist: each task fails in a worker that holds the value.

    The client service would refuse this, so the tasks are encrypted and sent from here, as it does.
    """
    from vestibule.client_service.celery_app import create_producer
    from vestibule.client_service.queue.application import REALM
    from vestibule.client_service.settings import WorkerSettings
    from vestibule.client_service.tasks import process_data_task
    from vestibule.encryption import Cipher, KeyRingFile

    settings = WorkerSettings(data_dir=data_dir, redis_url=redis_url)
    create_producer(settings, Cipher(KeyRingFile(settings.key_ring_path), REALM))
    for canary in canaries:
        process_data_task.delay(canary.text, f"no-such-processor {canary.value}")


def _workers_of(data_dir: Path) -> list[int]:
    """Return the ids of the worker processes that work in `data_dir`, including those of their pools."""
    marker = os.fsencode(data_dir.absolute())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"\0worker\0" in (process / "cmdline").read_bytes()
            if is_worker and marker in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile, or another user's
    return found


def _wait_until_ready(system: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while b"Vestibule is ready" not in output.read_bytes():
        if system.poll() is not None or time.monotonic() > deadline:
            raise SystemFailed(output.read_text(errors="replace")[-2000:])
        time.sleep(0.1)
    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10, trust_env=False).raise_for_status()


def _free_port() -> int:
    """Return a port that is free together with the four that follow it.

    It is below the range that systems use for outgoing connections, one of which could take it before the start.
    """
    for first in random.sample(range(10_000, 32_000, 5), 1000):
        if not first_taken([Address("127.0.0.1", port) for port in range(first, first + 5)]):
            return first
    raise SystemFailed("no five free ports in a row")
