"""What is known of tasks goes missing, in part or of different times: every accepted task still comes to an end."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults import at_length
from faults.injections import redis_of, reset_connections, results_deleted
from faults.load import ENDS, expect_all_kept, load_on
from servers.postgresql import running_server
from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.database_service.maintenance.backup import back_up, restore

pytestmark = [at_length, pytest.mark.timeout(900)]

ENDED_WITHIN_S = 180
# Each is six characters in JSON: the result is over the limit of what services exchange, and the value is not.
POISON = "\x01" * 699_040
OTHERS = 499


def until_ended(http: httpx.Client, task_ids: Any, wait_until: Callable[..., Any]) -> dict[str, str]:
    """Return the state in which each task has ended."""
    ended: dict[str, str] = {}

    def have_all_ended() -> bool:
        for task_id in set(task_ids) - ended.keys():
            with suppress(httpx.TransportError):
                state = http.get(f"/tasks/{task_id}").json().get("state")
                if state in ENDS:
                    ended[task_id] = state
        return len(ended) == len(task_ids)

    wait_until(have_all_ended, ENDED_WITHIN_S, "the end of every task", every_s=0.5)
    return ended


def test_results_that_are_deleted_before_they_are_settled(start: Any, wait_until: Callable[..., Any]) -> None:
    """The end of a task is in Redis, and its result is not: the task runs again instead of being `running` for ever."""
    system = start().ask_again()
    with load_on(system.url) as load:
        wait_until(lambda: len(load.accepted) > 50, 60, "the load")
        with results_deleted(system):
            wait_until(lambda: len(load.accepted) > 400, 120, "more load")
    expect_all_kept(load, system.http, wait_until)


def test_a_database_that_is_restored_late(start: Any, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """Redis knows the ends of tasks that the older database has yet to run, and no results: they run again."""
    system = start(name="late").ask_again()
    for worker in system.processes("vestibule worker"):
        worker.suspend()
    sent = [system.http.post("/messages", json={"text": f"late {number}"}).json()["task_id"] for number in range(20)]
    back_up(system.data_dir / "vestibule.db", tmp_path / "saved.db", lambda *_: None)
    for worker in system.processes("vestibule worker"):
        worker.resume()
    assert {"succeeded"} == set(until_ended(system.http, sent, wait_until).values())
    with redis_of(system) as redis:
        assert redis.delete(*redis.scan_iter(f"{RESULT_PREFIX}*"))
    assert 0 == system.stop()
    restore(tmp_path / "saved.db", system.data_dir / "vestibule.db", lambda *_: None)
    again = start(name="late").ask_again()
    assert {"succeeded"} == set(until_ended(again.http, sent, wait_until).values())


def test_a_poison_among_five_hundred(start: Any, wait_until: Callable[..., Any]) -> None:
    """One task whose result fits nowhere: it ends as failed, and all that were claimed with it as ever."""
    system = start().ask_again()
    for worker in system.processes("vestibule worker"):
        worker.suspend()
    assert 200 == system.add("poison", POISON).status_code
    poison = system.http.post("/run", json={"key": "poison"})
    assert 202 == poison.status_code, poison.text[:300]
    sent = [system.http.post("/messages", json={"text": f"one of {n}"}).json()["task_id"] for n in range(OTHERS)]
    for worker in system.processes("vestibule worker"):
        worker.resume()
    assert {"succeeded"} == set(until_ended(system.http, sent, wait_until).values())
    (state,) = until_ended(system.http, [poison.json()["task_id"]], wait_until).values()
    assert state in ("succeeded", "failed", "dead")


def test_connections_to_redis_that_are_reset(start: Any, wait_until: Callable[..., Any]) -> None:
    """Every connection is ended by the server, ten times a second: nothing is lost, and the door stays open."""
    system = start()
    with load_on(system.url) as load:
        wait_until(lambda: len(load.accepted) > 50, 60, "the load")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with reset_connections(system):
                time.sleep(0.1)
        before = len(load.accepted)
        wait_until(lambda: len(load.accepted) > before + 50, 60, "tasks after the resets")
    expect_all_kept(load, system.http, wait_until)


def test_postgresql_that_is_killed_under_load(start: Any, tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """Its crash costs no accepted task and no entry; the services find it again when it is back."""
    with running_server() as server:
        system = start(VESTIBULE_DATABASE_URL=server.database_url(str(tmp_path)))
        with load_on(system.url) as load:
            for _ in range(3):
                enough = len(load.accepted) + 50
                wait_until(lambda enough=enough: len(load.accepted) > enough, 90, "the load")
                server.kill()
                time.sleep(2)
                server.start()
            enough = len(load.accepted) + 50
            wait_until(lambda: len(load.accepted) > enough, 90, "the load after the last crash")
        expect_all_kept(load, system.http, wait_until)
        assert 0 == system.stop()
