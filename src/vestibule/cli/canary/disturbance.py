"""Kills and fails workers of a test system while they hold values, so that the search covers what they leave behind."""

import os
import signal
import time
from pathlib import Path

import httpx

from vestibule.cli.canary.values import Canary

HEALED_WITHIN_S = 60.0


class NotHealed(Exception):
    """The system did not recover from the disturbance."""


def kill_workers(data_dir: Path, http: httpx.Client, canaries: list[Canary]) -> None:
    """Send every value as a message, kill -9 all workers over it, and wait until tasks are done again; Linux only.

    Raises:
        NotHealed: no task was done within a minute.
    """
    for canary in canaries:
        http.post("/messages", json={"text": canary.text})
    for process in workers_of(data_dir):
        os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + HEALED_WITHIN_S
    while time.monotonic() < deadline:
        accepted = http.post("/messages", json={"text": "are you there"})
        if accepted.status_code == 202:
            task = http.get(accepted.json()["status_url"], params={"wait": 5}).json()
            if task.get("state") == "succeeded":
                return
    raise NotHealed("no task was done within a minute after the workers were killed")


def fail_tasks(data_dir: Path, redis_url: str, canaries: list[Canary]) -> None:
    """Queue every value for a processor that does not exist: each task fails in a worker, with the value in its hands.

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


def workers_of(data_dir: Path) -> list[int]:
    """Return the ids of the worker processes that work in `data_dir`, those of their pools among them."""
    marker = os.fsencode(data_dir.absolute())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"\0worker\0" in (process / "cmdline").read_bytes()
            if is_worker and marker in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found
