"""Pausing and resuming processors and the whole queue, with real workers: nothing starts, is lost or runs twice."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from faults.injections import redis_of
from vestibule.contracts.queue import PAUSED_KEY
from vestibule.contracts.tasks import ALL_QUEUES, QUEUES
from vestibule.service_kit.auth.token_file import create_token

REASON = {"reason": "a receiver is broken"}


def program(system: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vestibule", *words, "--url", system.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"})


def send(system: Any, count: int, **terms: Any) -> list[str]:
    """Send messages and return the ids of their tasks."""
    answers = [system.http.post("/messages", json={"text": f"text {number}", **terms}) for number in range(count)]
    assert {202} == {answer.status_code for answer in answers}
    return [answer.json()["task_id"] for answer in answers]


def statuses(system: Any, ids: list[str]) -> list[dict[str, Any]]:
    return [system.http.get(f"/tasks/{task_id}").json() for task_id in ids]


def reasons(system: Any, ids: list[str]) -> Counter[str]:
    """Count the tasks by why they wait, and the others by their states."""
    return Counter(one.get("waiting", {}).get("reason", one["state"]) for one in statuses(system, ids))


def states(system: Any) -> Counter[str]:
    """Count all tasks of the tenant by their states."""
    tasks = system.http.get("/tasks", params={"limit": 1000}).json()["tasks"]
    return Counter(one["state"] for one in tasks)


def change(system: Any, verb: str, **body: Any) -> dict[str, Any]:
    answer = system.http.post(f"/queue/{verb}", json={**REASON, **body})
    assert 200 == answer.status_code, answer.text
    return dict(answer.json())


@pytest.fixture
def tokens(system: Any, wait_until: Callable[..., Any]) -> Callable[..., Any]:
    """Make a caller with some scopes, perhaps of another tenant."""

    def make(name: str, *scopes: str, tenant: str = "default") -> Any:
        token, _ = create_token(system.data_dir / "keys" / "tokens.json", name, list(scopes), None, tenant)
        http = system.client(token)
        wait_until(lambda: http.get("/queue").status_code != 401, what="the token")
        return http

    return make


SLOW = """
import time

class Slow:
    name, description, examples = 'slow', 'Takes its time.', ()

    def process(self, data):
        time.sleep(3)
        return data

PROCESSOR = Slow()
"""


def running(http: Any) -> list[dict[str, Any]]:
    """Return what all workers run."""
    return [one for worker in http.get("/workers").json()["workers"] for one in worker["running"]]


def watch_one_task(system: Any, wait_until: Callable[..., Any]) -> str:
    """Pause while a task runs; return its id."""
    token, _ = create_token(system.data_dir / "keys" / "tokens.json", "other", ["queue"], None, "elsewhere")
    with system.client(token) as other:
        wait_until(lambda: other.get("/workers").status_code == 200, what="the token")
        (task_id,) = send(system, 1, processor="slow")
        (shown,) = wait_until(lambda: running(system.http), what="the task")
        assert [(None, "slow")] == [(one["task_id"], one["processor"]) for one in running(other)]
    assert (task_id, "slow") == (shown["task_id"], shown["processor"])
    change(system, "pause")
    assert "running" == system.http.get(f"/tasks/{task_id}").json()["state"]
    assert "succeeded" == system.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()["state"]
    change(system, "resume")
    return task_id


def kill(worker: psutil.Process) -> None:
    for process in (*worker.children(recursive=True), worker):
        process.kill()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_pause_outlives_killed_workers_and_a_restart(
    start: Any, wait_until: Callable[..., Any], tmp_path: Path
) -> None:
    """What runs is shown and finishes. Hundreds of tasks in the queue and with a worker that is killed wait, over a
    restart and a lost copy in Redis; after the pause each runs once.
    """
    (tmp_path / "slow.py").write_text(SLOW)
    settings = {"VESTIBULE_PROCESSORS_DIR": str(tmp_path), "VESTIBULE_TASK_TIME_LIMIT_S": "5"}
    system = start(**settings).ask_again()
    queued = [watch_one_task(system, wait_until)]
    first, *others = sorted(system.processes("vestibule worker"), key=lambda one: one.cmdline())
    for worker in (first, *others):
        worker.suspend()
    queued += send(system, 200)
    with redis_of(system) as redis:
        wait_until(lambda: redis.llen(QUEUES["normal"][0]) > 150, what="the queue")
        assert change(system, "pause")["is_with_workers"]
        kill(first)
        for worker in others:
            worker.resume()
        queued += send(system, 50)
        wait_until(lambda: system.http.get("/queue").json()["waiting"]["normal"] == 250, what="all tasks to wait")
        assert 0 == redis.llen(QUEUES["normal"][0])
    assert 0 == system.stop()

    system = start(**settings).ask_again()
    queued += send(system, 20)
    with redis_of(system) as redis:
        redis.delete(PAUSED_KEY)
        wait_until(lambda: (redis.hget(PAUSED_KEY, "*") or b"")[-2:] == b":1", 2, "the copy of the pause")
        assert ({"paused": 40}, {"queued": 270, "succeeded": 1}) == (reasons(system, queued[-40:]), states(system))
        assert REASON["reason"] == system.http.get("/queue").json()["pause"]["reason"]
        with redis_suspended(system):
            for path in ("/workers", "/queue"):
                assert 503 == httpx.get(f"{system.url}{path}", headers=system.http.headers, timeout=2.5).status_code
            assert {"paused": 1} == reasons(system, queued[-1:])
        assert queued[:1] == [line["task_id"] for line in system.log_lines(event="task_started")]
        change(system, "resume")
        wait_until(lambda: states(system) == {"succeeded": 271}, what="the end of all tasks")
        assert {0} == {redis.llen(queue) for queue in ALL_QUEUES}
    assert {0} == {one["attempts"] for one in system.http.get("/tasks", params={"limit": 1000}).json()["tasks"]}
    started = Counter(line["task_id"] for line in system.log_lines(event="task_started"))
    assert dict.fromkeys(queued, 1) == started
    assert ([], []) == (system.log_lines(event="lost_tasks_requeued"), system.reports("QueueStalled"))


@contextmanager
def redis_suspended(system: Any) -> Iterator[None]:
    """Suspend Redis."""
    (redis,) = [one for one in system.processes() if one.name().endswith("-server")]
    redis.suspend()
    try:
        yield
    finally:
        redis.resume()


def test_a_processor_pauses_alone(system: Any, wait_until: Callable[..., Any]) -> None:
    """The tasks of others run, `mode: sync` is served, and a pause of the whole queue is one of its own."""
    try:
        change(system, "pause", processor="normalize")
        paused, free = send(system, 20, processor="normalize"), send(system, 20)
        later = send(system, 1, processor="normalize", delay_s=3600)
        wait_until(lambda: reasons(system, free) == {"succeeded": 20}, what="the tasks of others")
        assert {"paused": 20} == reasons(system, paused)
        (status,) = statuses(system, later)
        assert ("due_later", status["due_at"]) == (status["waiting"]["reason"], status["waiting"]["due_at"])
        reply = system.http.post("/messages", json={"text": "at once", "processor": "normalize", "mode": "sync"})
        assert (200, "at once") == (reply.status_code, reply.json()["reply"])
        change(system, "pause")
        assert "whole queue is resumed" in program(system, "queue", "resume", "--reason", "done").stdout
        assert {"paused": 20} == reasons(system, paused)
        shown = program(system, "queue", "show")
        assert ("paused, normalize\tsince" in shown.stdout, "a receiver is broken" in shown.stdout) == (True, True)
    finally:
        change(system, "resume", processor="normalize")
    wait_until(lambda: reasons(system, paused) == {"succeeded": 20}, what="the paused tasks")
    (line,) = system.log_lines(event="queue_paused", processor="normalize")
    assert ("development", True) == (line["token_id"], "a receiver" not in json.dumps(system.log_lines()))


def test_a_pause_needs_an_operator_and_a_clean_reason(system: Any, tokens: Callable[..., Any]) -> None:
    """`queue` shows, and with `operator` it pauses; personal data as a reason and unknown processors are refused."""
    with closing(tokens("only-queue", "queue")) as http:
        assert [200, 200] == [http.get(path).status_code for path in ("/queue", "/workers")]
        answers = [http.post(f"/queue/{verb}", json=REASON) for verb in ("pause", "resume")]
        assert [(403, "operator")] * 2 == [(one.status_code, one.json()["scope"]) for one in answers]
    with closing(tokens("only-run", "run", "operator")) as http:
        assert {403} == {http.get("/queue").status_code, http.post("/queue/pause", json=REASON).status_code}
    wrong = ({}, {"reason": ""}, {**REASON, "processor": "none"}, {"reason": "ask jane.roe@example.org"})
    assert [422] * 4 == [system.http.post("/queue/pause", json=body).status_code for body in wrong]
    assert system.http.get("/queue").json()["pause"] is None
