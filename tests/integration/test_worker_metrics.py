"""A worker that has a port shows what all processes of its pool did, and the pool's losses."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from vestibule.client_service.celery_app import create_producer
from vestibule.client_service.tasks import process_data_task

MARKER = "zq7marker9xy"


def totals(url: str) -> dict[str, float]:
    """Return the sum over the labels of each counter; nothing while nobody answers."""
    try:
        text = httpx.get(url, timeout=20, trust_env=False).text
    except httpx.HTTPError:
        return {}
    families = text_string_to_metric_families(text)
    return {family.name: sum(one.value for one in family.samples) for family in families if family.type == "counter"}


def pool_of_worker() -> list[psutil.Process]:
    """Return the processes that do tasks."""
    (worker,) = [one for one in psutil.Process(os.getpid()).children() if "worker" in one.cmdline()]
    return worker.children()


def test_a_worker_shows_its_pool(
    place: Any, start_worker: Callable[..., Path], free_port: int, wait_until: Callable[..., Any]
) -> None:
    """Tasks are counted, also after the process that did them was killed; that it was is counted too."""
    start_worker(VESTIBULE_METRICS_PORT=str(free_port))
    url = f"http://127.0.0.1:{free_port}/metrics"
    producer = create_producer(place.settings, place.cipher)

    def shows(**expected: float) -> bool:
        shown = totals(url)
        return all(shown.get(f"vestibule_{name}") == value for name, value in expected.items())

    process_data_task.delay(MARKER)
    process_data_task.delay(MARKER, processor=MARKER)
    wait_until(lambda: shows(tasks=2, worker_processes_replaced=0), 60, "two tasks")
    pool_of_worker()[0].kill()
    wait_until(lambda: shows(tasks=2, worker_processes_replaced=1), 60, "the loss")
    process_data_task.delay(MARKER)
    wait_until(lambda: shows(tasks=3), 60, "the third task")
    producer.close()
    shown = httpx.get(url, timeout=20, trust_env=False).text
    assert 'vestibule_tasks_total{processor="uppercase",service="worker1",state="succeeded"} 2.0' in shown
    assert 'vestibule_task_wait_seconds_count{service="worker1"} 3.0' in shown
    assert MARKER not in shown.lower()
