"""RabbitMQ carries the tasks: what it loses is sent again, and what is accepted while it is away waits for it."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from faults import TASKS
from servers.rabbitmq import rabbitmq
from servers.redis import watched_redis
from vestibule.contracts.tasks import QUEUES


def send(system: Any, words: str, count: int) -> dict[str, str]:
    """Send messages and return what is to become of each task."""
    wanted = {}
    for number in range(count):
        answer = system.http.post("/messages", json={"text": f"{words} {number}"})
        assert 202 == answer.status_code, answer.text
        wanted[answer.json()["task_id"]] = f"{words} {number}".upper()
    return wanted


def results(system: Any, tasks: dict[str, str]) -> dict[str, str | None]:
    return {task_id: system.http.get(f"/tasks/{task_id}").json().get("result") for task_id in tasks}


# It starts RabbitMQ twice and a system, and waits for what was lost to be missed.
@pytest.mark.timeout(400)
def test_tasks_outlive_rabbitmq(start: Any, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """Quorum queues carry them; purged, killed and away, each accepted task is done once it is back.

    Results and reports of workers go over a Redis that a Sentinel names.
    """
    with rabbitmq(tmp_path / "rabbit") as rabbit, watched_redis(tmp_path / "redis") as redis:
        # A short time limit, as only after it a message that nobody sees counts as lost.
        settings = {"VESTIBULE_BROKER_URL": rabbit.url, "VESTIBULE_REDIS_URL": redis.url}
        system = start(VESTIBULE_TASK_TIME_LIMIT_S="2", **settings)

        def are_done(tasks: dict[str, str]) -> Callable[[], bool]:
            return lambda: results(system, tasks) == tasks

        wait_until(are_done(send(system, "ordinary", 20)), 60, "ordinary tasks")
        with Connection(rabbit.url) as connection:
            channel = connection.default_channel
            counts = [channel.queue_declare(queue, passive=True).message_count for queue in QUEUES.values()]
            assert [0, 0, 0] == counts
            workers = system.processes("vestibule worker")
            for worker in workers:
                worker.send_signal(signal.SIGSTOP)
            purged = send(system, "purged", 40)
            wait_until(lambda: channel.queue_declare(QUEUES["normal"], passive=True).message_count > 20, 60, "a queue")
            channel.queue_purge(QUEUES["normal"])
            for worker in workers:
                worker.send_signal(signal.SIGCONT)
        wait_until(are_done(purged), 90, "the purged tasks")

        if not TASKS:
            return
        rabbit.kill()
        meanwhile = send(system, "meanwhile", 10)
        rabbit.start()
        wait_until(are_done(meanwhile), 120, "what was accepted meanwhile")
        assert 0 == system.stop()
