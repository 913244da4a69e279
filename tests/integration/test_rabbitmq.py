"""RabbitMQ carries the tasks: what it loses is sent again, and what is accepted while it is away waits for it."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from faults import TASKS
from servers.rabbitmq import rabbitmq
from servers.redis import watched_redis
from vestibule.contracts.queue import PAUSED_KEY
from vestibule.contracts.tasks import ALL_QUEUES, QUEUES
from vestibule.service_kit.redis_settings import open_redis


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


async def lose_copy(url: str) -> None:
    """Delete the copy of the pauses in Redis."""
    async with open_redis(url) as client:
        await client.delete(PAUSED_KEY)


def expect_paused_until_resumed(system: Any, url: str, redis: Any, wait_until: Callable[..., Any]) -> None:
    """Pause with messages in RabbitMQ and without the copy of the pauses in Redis: none starts until the end of it."""
    workers = system.processes("vestibule worker")
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    paused = send(system, "paused", 30)
    with Connection(url) as connection:
        queue = connection.default_channel.queue_declare
        wait_until(lambda: queue(QUEUES["normal"][0], passive=True).message_count > 15, 60, "messages")
        assert 200 == system.http.post("/queue/pause", json={"reason": "tests"}).status_code
        asyncio.run(lose_copy(redis.url))
        for worker in workers:
            worker.send_signal(signal.SIGCONT)
        wait_until(lambda: queue(QUEUES["normal"][0], passive=True).message_count == 0, 60, "the messages to be taken")
    wait_until(lambda: system.http.get("/queue").json()["waiting"]["normal"] == 30, 60, "all to be handed back")
    assert {"paused"} == {system.http.get(f"/tasks/{one}").json()["waiting"]["reason"] for one in paused}
    assert 200 == system.http.post("/queue/resume", json={"reason": "tests"}).status_code
    wait_until(lambda: results(system, paused) == paused, 60, "the paused tasks")


# It starts RabbitMQ twice and a system, and waits for what was lost to be missed.
@pytest.mark.slow
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
        expect_paused_until_resumed(system, rabbit.url, redis, wait_until)
        with Connection(rabbit.url) as connection:
            channel = connection.default_channel
            counts = {channel.queue_declare(queue, passive=True).message_count for queue in ALL_QUEUES}
            assert {0} == counts
            workers = system.processes("vestibule worker")
            for worker in workers:
                worker.send_signal(signal.SIGSTOP)
            purged = send(system, "purged", 40)
            wait_until(
                lambda: channel.queue_declare(QUEUES["normal"][0], passive=True).message_count > 20, 60, "a queue"
            )
            channel.queue_purge(QUEUES["normal"][0])
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
