"""Tasks as callers see them: delayed, cancelled, dead, retried, unique, by tenant, and as events."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis

from vestibule.cli.embedded.redis_server import redis_url_of
from vestibule.client_service.queue.application import REALM, encrypt_content
from vestibule.client_service.queue.result_backend import ENDED_KEY, REPORT
from vestibule.encryption import Cipher, KeyRingFile
from vestibule.service_kit.auth.token_file import create_token

DONE_WITHIN_S = 30


def run(system: Any, key: str, **options: Any) -> str:
    answer = system.http.post("/run", json={"key": key, **options})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["task_id"])


def wait(system: Any, task_id: str) -> dict[str, Any]:
    status: dict[str, Any] = system.http.get(f"/tasks/{task_id}", params={"wait": DONE_WITHIN_S}).json()
    return status


def end_of(system: Any, task_id: str) -> tuple[str, str | None]:
    task = wait(system, task_id)
    return task["state"], task.get("result")


def test_a_delayed_task_waits_for_its_time(system: Any) -> None:
    """It is queued with the time at which it is due, and runs then."""
    system.add("later", "text")
    task_id = run(system, "later", delay_s=2)
    waiting = system.http.get(f"/tasks/{task_id}").json()
    assert "queued" == waiting["state"]
    assert waiting["submitted_at"] < waiting["due_at"]
    assert ("succeeded", "TEXT") == end_of(system, task_id)


def test_a_cancelled_task_does_not_run(system: Any) -> None:
    """It ends at once, cannot be cancelled twice, and can be retried."""
    system.add("unwanted", "text")
    task_id = run(system, "unwanted", delay_s=3600)
    assert "cancelled" == system.http.post(f"/tasks/{task_id}/cancel").json()["state"]
    assert 409 == system.http.post(f"/tasks/{task_id}/cancel").status_code
    assert "cancelled" == wait(system, task_id)["state"]
    assert system.http.post(f"/tasks/{task_id}/retry").json()["state"] in ("queued", "running", "succeeded")
    assert "succeeded" == wait(system, task_id)["state"]
    assert 409 == system.http.post(f"/tasks/{task_id}/retry").status_code


def report_failed_attempt(system: Any, redis: Any, task_id: str) -> None:
    """Report the first attempt of a task as a worker does."""
    cipher = Cipher(KeyRingFile(system.data_dir / "keys" / "keyring.json"), REALM)
    redis.rpush(ENDED_KEY, encrypt_content(cipher, [task_id, "TaskInterrupted", 1], REPORT))


def test_a_task_that_ends_its_workers_is_given_up(system: Any, wait_until: Callable[..., Any]) -> None:
    """After its last attempt it is a dead letter, with an alert; it can be retried or dropped."""
    system.add("poison", "text")
    dead = [run(system, "poison", delay_s=3600) for _ in range(2)]
    with Redis.from_url(str(redis_url_of(system.data_dir))) as redis:
        for task_id in dead:
            # As after three starts, none of which came to an end.
            redis.hset(f"vestibule:task:{task_id}", "starts", 3)
            report_failed_attempt(system, redis, task_id)
    for task_id in dead:
        wait_until(lambda one=task_id: wait(system, one)["state"] == "dead", 60, "the end of the attempts")
    task = wait(system, dead[0])
    assert ("WorkerLost", 3) == (task["error"]["kind"], task["attempts"])
    wait_until(lambda: len(system.reports("TaskDeadLettered")) >= 2, 60, "the alerts")
    assert set(dead) <= {task["task_id"] for task in system.http.get("/dead").json()["tasks"]}

    assert 200 == system.http.post(f"/dead/{dead[0]}/retry").status_code
    assert ("succeeded", "TEXT") == end_of(system, dead[0])
    assert "failed" == system.http.delete(f"/dead/{dead[1]}").json()["state"]
    assert 409 == system.http.delete(f"/dead/{dead[1]}").status_code
    assert 409 == system.http.post(f"/tasks/{dead[1]}/retry").status_code
    left = {task["task_id"] for task in system.http.get("/dead").json()["tasks"]}
    assert set() == left & set(dead)


def test_the_same_work_is_one_task_for_its_time(system: Any) -> None:
    """With `unique_for_s` a second request gets the first one's task; another processor or key does not."""
    system.add("once", "text")
    system.add("once-2", "text")
    first = run(system, "once", unique_for_s=60)
    assert first == run(system, "once", unique_for_s=60)
    others = {
        run(system, "once", unique_for_s=60, processor="normalize"),
        run(system, "once-2", unique_for_s=60),
        run(system, "once"),
    }
    assert 3 == len(others - {first})


def test_changes_come_as_events(system: Any) -> None:
    """An event stream has each state once, the end last."""
    system.add("told", "text")
    task_id = run(system, "told", delay_s=1)
    with system.http.stream("GET", f"/tasks/{task_id}", headers={"Accept": "text/event-stream"}) as answer:
        lines = [line for line in answer.iter_lines() if line]
    statuses = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [f"event: {task['state']}" for task in statuses] == [line for line in lines if line.startswith("event: ")]
    assert ("queued", "succeeded", "TEXT") == (statuses[0]["state"], statuses[-1]["state"], statuses[-1]["result"])


def test_a_task_belongs_to_its_tenant(system: Any) -> None:
    """Another tenant cannot read, list, cancel or retry the task; it gets a 404."""
    system.add("mine", "text")
    task_id = run(system, "mine")
    token, _record = create_token(Path(system.data_dir) / "keys" / "tokens.json", "other", ["run"], None, "other")
    other = system.client(token)
    for method, path in (
        ("GET", f"/tasks/{task_id}"),
        ("POST", f"/tasks/{task_id}/cancel"),
        ("POST", f"/tasks/{task_id}/retry"),
        ("DELETE", f"/dead/{task_id}"),
    ):
        assert 404 == other.request(method, path).status_code, path
    assert [] == other.get("/tasks").json()["tasks"]
    other.close()
    assert "succeeded" == wait(system, task_id)["state"]


def test_tasks_are_listed_by_state(system: Any) -> None:
    """The newest come first, a page at a time, without their results."""
    system.add("listed", "text")
    ids = [run(system, "listed", delay_s=3600, priority="low") for _ in range(3)]
    page = system.http.get("/tasks", params={"state": "queued", "limit": 2}).json()
    rest = system.http.get("/tasks", params={"state": "queued", "limit": 2, "cursor": page["cursor"]}).json()
    assert ids[::-1] == [task["task_id"] for task in page["tasks"] + rest["tasks"]][:3]
    assert {"low"} == {task["priority"] for task in page["tasks"]}
    assert all("result" not in task for task in system.http.get("/tasks").json()["tasks"])
    for task_id in ids:
        system.http.post(f"/tasks/{task_id}/cancel")


def test_the_command_line_manages_tasks(system: Any) -> None:
    """show, list, wait, cancel, retry and the dead letters; an id alone means show."""
    environment = {**os.environ, "VESTIBULE_URL": system.url, "NO_COLOR": "1"}

    def vestibule(*words: str, expect: int = 0) -> str:
        command = [sys.executable, "-m", "vestibule", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert expect == done.returncode, done.stderr
        return done.stdout.strip()

    system.add("by-hand", "text")
    task_id = run(system, "by-hand", delay_s=3600)
    assert "queued" == vestibule("task", task_id) == vestibule("task", "show", task_id)
    assert task_id in vestibule("task", "list", "--state", "queued")
    assert f"{task_id} is cancelled" == vestibule("task", "cancel", task_id)
    vestibule("task", task_id, expect=1)
    vestibule("task", "retry", task_id)
    assert "TEXT" == vestibule("task", "wait", task_id)
    assert task_id not in vestibule("dead", "list")
    vestibule("dead", "drop", task_id, expect=6)


def test_a_failed_attempt_is_followed_by_another(system: Any) -> None:
    """After a temporary error the task is retried soon, and its status has the number of attempts."""
    system.add("again", "text")
    task_id = run(system, "again", delay_s=3600)
    with Redis.from_url(str(redis_url_of(system.data_dir))) as redis:
        report_failed_attempt(system, redis, task_id)
    task = wait(system, task_id)
    assert ("succeeded", "TEXT", 1) == (task["state"], task["result"], task["attempts"])


def test_redis_soon_lets_go_of_what_the_ledger_has(system: Any, wait_until: Any) -> None:
    """A result is kept for a day, but not in Redis, which results would fill; Redis keeps that the task has ended."""
    system.add("let-go", "text")
    task_id = run(system, "let-go")
    assert ("succeeded", "TEXT") == end_of(system, task_id)
    with Redis.from_url(redis_url_of(system.data_dir)) as redis:
        result, record = f"celery-task-meta-{task_id}", f"vestibule:task:{task_id}"
        wait_until(lambda: 0 < redis.ttl(result) <= 600, what="the ledger's knowledge of the end")
        redis.delete(result)
        assert redis.hget(record, "has_ended") == b"1"
        assert 0 < redis.ttl(record) <= 3_600
    assert ("succeeded", "TEXT") == end_of(system, task_id)


def test_a_task_takes_few_commands_of_redis(system: Any) -> None:
    """From the 202 to the ledger's knowledge of its end, with what it takes to lose none; idle polling included."""
    system.add("counted", "text")
    # Without what goes by the clock: heartbeats, probes, and looks that find nothing.
    taken = ["brpop", "multi", "exec", "zadd", "zrem", "hset", "hdel"]
    done = ["hincrby", "hexists", "expire", "exists", "publish", "rpush", "lpush"]
    spent = []
    with Redis.from_url(redis_url_of(system.data_dir)) as redis:
        # Tasks of other tests may run meanwhile.
        for _ in range(3):
            before = _commands(redis)
            ids = [run(system, "counted") for _ in range(40)]
            assert {("succeeded", "TEXT")} == {end_of(system, task_id) for task_id in ids}
            commands = _commands(redis) - before
            spent.append(sum(commands[f"cmdstat_{name}"] for name in (*taken, *done)) / 40)
    # Alone it is 15; beside other tests 17 were counted.
    assert min(spent) <= 18


def _commands(redis: Any) -> Counter[str]:
    return Counter({name: int(stats["calls"]) for name, stats in redis.info("commandstats").items()})
