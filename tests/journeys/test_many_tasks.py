"""Many tasks: found by what is known of them, counted, and changed all at once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from socket import gethostname
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from vestibule.cli.embedded.redis_server import redis_url_of
from vestibule.client_service.queue.application import REALM, encrypt_content
from vestibule.client_service.queue.result_backend import ENDED_KEY, REPORT
from vestibule.encryption import Cipher, KeyRingFile
from vestibule.service_kit.auth.token_file import create_token


@pytest.fixture
def token(system: Any) -> str:
    """A token of a tenant of its own."""
    name = f"many-{uuid4().hex[:8]}"
    return str(create_token(system.data_dir / "keys" / "tokens.json", name, ["*"], tenant=name)[0])


@pytest.fixture
def tenant(system: Any, token: str) -> Iterator[httpx.Client]:
    """A caller of a tenant that has no tasks yet."""
    with system.client(token) as caller:
        for key in ("a", "b"):
            assert 200 == caller.post("/add", json={"key": key, "value": "text"}).status_code
        yield caller


def run(caller: httpx.Client, key: str, **terms: Any) -> str:
    answer = caller.post("/run", json={"key": key, "delay_s": 3600, **terms})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["task_id"])


def ids(caller: httpx.Client, **query: Any) -> list[str]:
    answer = caller.get("/tasks", params=query)
    assert 200 == answer.status_code, answer.text
    return [task["task_id"] for task in answer.json()["tasks"]]


def counted(caller: httpx.Client) -> dict[str, int]:
    answer = caller.get("/tasks/counts").raise_for_status().json()
    assert sum(answer["states"].values()) == sum(count["tasks"] for count in answer["counts"])
    return {state: number for state, number in answer["states"].items() if number}


def confirmed(caller: httpx.Client, wait_until: Callable[..., Any], **request: Any) -> dict[str, Any]:
    """Do what a request asks for, and return the end of the job."""
    preview = caller.post("/tasks/bulk", json=request).raise_for_status().json()
    started = caller.post("/tasks/bulk", json={**request, "confirm": preview["confirm"]})
    assert 202 == started.status_code, started.text
    address = started.json()["status_url"]
    assert address == started.headers["location"]

    def ended() -> Any:
        status = caller.get(address).raise_for_status().json()
        return status if status["state"] == "finished" else None

    status: dict[str, Any] = wait_until(ended, what="the end of the job")
    assert preview["count"] == status["total"] == status["done"] + status["skipped"] + status["failed"]
    return status


def test_tasks_are_found_by_what_is_known_of_them(tenant: httpx.Client) -> None:
    """By state, processor, token, key, age, due time and cause; each page goes on where one ends."""
    first, second, third = run(tenant, "a"), run(tenant, "b"), run(tenant, "a", processor="normalize")
    assert [third, second, first] == ids(tenant)
    assert [third, first] == ids(tenant, key="a")
    assert [third] == ids(tenant, processor="normalize", key="a", state="queued")
    token_id = tenant.get(f"/tasks/{first}").json()["token_id"]
    assert [third, second, first] == ids(tenant, token=token_id)
    assert [] == ids(tenant, token="unknown")
    assert [] == ids(tenant, cause="timeout")
    assert [] == ids(tenant, older_than_s=3000)
    assert 3 == len(ids(tenant, older_than_s=0))
    soon, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (0.5, 2))
    assert ([], 3) == (ids(tenant, due_before=soon.isoformat()), len(ids(tenant, due_before=later.isoformat())))
    page = tenant.get("/tasks", params={"key": "a", "limit": 1}).json()
    assert [first] == ids(tenant, key="a", limit=1, cursor=page["cursor"])
    for wrong in ({"cause": "any text"}, {"processor": "No"}, {"due_before": "4"}, {"older_than_s": "-1"}):
        assert 422 == tenant.get("/tasks", params=wrong).status_code, wrong


def test_a_task_names_its_request_and_token(tenant: httpx.Client) -> None:
    """As the request that it comes from was named; the key it was made from is nowhere in clear."""
    answer = tenant.post("/run", json={"key": "a", "delay_s": 3600}, headers={"X-Request-ID": "of-this-test"})
    task = tenant.get(f"/tasks/{answer.json()['task_id']}").json()
    (listed,) = tenant.get("/tasks", params={"key": "a"}).json()["tasks"]
    assert ("of-this-test", []) == (task["request_id"], task["attempt_history"])
    assert task["token_name"].startswith("many-")
    assert "tenant" not in listed
    # Lists have neither the attempts nor why a task waits.
    assert listed == {name: value for name, value in task.items() if name not in ("attempt_history", "waiting")}


def test_counts_are_those_of_the_tasks(tenant: httpx.Client, wait_until: Callable[..., Any]) -> None:
    """By state and processor, of this tenant alone, also after all of them were cancelled and retried at once."""
    for number in range(7):
        run(tenant, "a", processor="uppercase" if number % 2 else "normalize")
    by_processor = {
        (count["processor"], count["state"]): count["tasks"] for count in tenant.get("/tasks/counts").json()["counts"]
    }
    assert {("uppercase", "queued"): 3, ("normalize", "queued"): 4} == by_processor
    confirmed(tenant, wait_until, action="cancel", filter={"processor": "normalize"}, reason="no longer needed")
    assert {"queued": 3, "cancelled": 4} == counted(tenant)
    confirmed(tenant, wait_until, action="retry", filter={"state": ["cancelled"]})
    wait_until(lambda: counted(tenant) == {"queued": 3, "succeeded": 4}, what="the retried tasks")


def test_an_action_is_confirmed_as_it_was_shown(tenant: httpx.Client, wait_until: Callable[..., Any]) -> None:
    """A confirmation is for its action, filter and token; sent twice it is one job; others know nothing of it."""
    for _ in range(3):
        run(tenant, "a")
    run(tenant, "b")
    request = {"action": "cancel", "filter": {"key": "a"}}
    preview = tenant.post("/tasks/bulk", json=request).json()
    assert (3, False) == (preview["count"], preview["has_more"])
    for other in ({"action": "retry"}, {"filter": {"key": "b"}}, {"filter": {}}):
        refused = tenant.post("/tasks/bulk", json={**request, **other, "confirm": preview["confirm"]})
        assert (409, "/problems/confirmation-invalid") == (refused.status_code, refused.json()["type"])
    forged = preview["confirm"][:-1] + ("0" if preview["confirm"][-1] != "0" else "1")
    assert 409 == tenant.post("/tasks/bulk", json={**request, "confirm": forged}).status_code
    assert {"queued": 4} == counted(tenant)
    twice = [tenant.post("/tasks/bulk", json={**request, "confirm": preview["confirm"]}).json() for _ in range(2)]
    assert twice[0] == twice[1]
    address = twice[0]["status_url"]
    wait_until(lambda: tenant.get(address).json()["state"] == "finished", what="the end of the job")
    assert {"queued": 1, "cancelled": 3} == counted(tenant)
    assert (3, 3, 0) == tuple(tenant.get(address).json()[name] for name in ("total", "done", "skipped"))


def test_only_an_operator_acts_for_all_tenants(system: Any, tenant: httpx.Client) -> None:
    """Without the scope it is a 403; with it lists and counts name the tenant of each."""
    task_id = run(tenant, "a")
    for refused in (
        tenant.get("/tasks", params={"all_tenants": "true"}),
        tenant.get("/tasks/counts", params={"all_tenants": "true"}),
        tenant.post("/tasks/bulk", json={"action": "cancel", "filter": {"all_tenants": True}}),
    ):
        assert (403, "operator") == (refused.status_code, refused.json()["scope"])
    name = tenant.get(f"/tasks/{task_id}").json()["token_name"]
    tokens = system.data_dir / "keys" / "tokens.json"
    with system.client(create_token(tokens, f"{name}-operator", ["run", "operator"])[0]) as operator:
        listed = operator.get("/tasks", params={"all_tenants": "true", "limit": 1000}).json()["tasks"]
        assert (task_id, name) in {(task["task_id"], task["tenant"]) for task in listed}
        assert task_id not in ids(operator)
        counts = operator.get("/tasks/counts", params={"all_tenants": "true"}).json()["counts"]
        assert 1 in [count["tasks"] for count in counts if count["tenant"] == name]


def test_attempts_are_shown_with_worker_and_cause(
    system: Any, tenant: httpx.Client, wait_until: Callable[..., Any]
) -> None:
    """Numbered from 1, over a retry by a person too; a conflict names the state."""
    task_id = run(tenant, "a")
    cipher = Cipher(KeyRingFile(system.data_dir / "keys" / "keyring.json"), REALM)
    report = [task_id, "TaskInterrupted:http_503", 3, 0.0, "worker9@host", 5.0]
    with Redis.from_url(str(redis_url_of(system.data_dir))) as redis:
        redis.rpush(ENDED_KEY, encrypt_content(cipher, report, REPORT))
    wait_until(lambda: tenant.get(f"/tasks/{task_id}").json()["state"] == "dead", what="the dead letter")
    assert [task_id] == ids(tenant, cause="http_503", state="dead")
    refused = tenant.post(f"/tasks/{task_id}/cancel")
    assert (409, "dead") == (refused.status_code, refused.json()["state"])
    assert "`dead`" in refused.json()["detail"]
    confirmed(tenant, wait_until, action="retry", filter={"cause": "http_503"})
    task = tenant.get(f"/tasks/{task_id}", params={"wait": 30}).json()
    assert ("succeeded", 0) == (task["state"], task["attempts"])
    first, second = task["attempt_history"]
    assert (3, "worker9@host", "http_503") == (first["number"], first["worker"], first["cause"])
    assert (4, gethostname(), False) == (second["number"], second["worker"].partition("@")[2], "cause" in second)
    assert second["started_at"] <= second["ended_at"]


def test_the_same_by_commands(system: Any, token: str, tenant: httpx.Client) -> None:
    """Lists take filters; counts are a table; an action shows how many it is for, and is done with --yes."""
    made = [run(tenant, "a") for _ in range(2)]

    def vestibule(*words: str, expect: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        done = subprocess.run(
            [sys.executable, "-m", "vestibule", *words, "--url", system.url, "--token", token],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert expect == done.returncode, done.stderr
        return done.stdout

    assert all(task_id in vestibule("task", "list", "--processor", "uppercase", "--key", "a") for task_id in made)
    assert made[0] not in vestibule("task", "list", "--cause", "timeout", "--older-than", "60s")
    assert "queued" in vestibule("task", "counts")
    assert "2 tasks" in vestibule("task", "bulk", "cancel", "--key", "a")
    assert {"queued": 2} == counted(tenant)
    done = json.loads(vestibule("task", "bulk", "cancel", "--key", "a", "--yes", "--json"))
    assert Counter({"total": 2, "done": 2}) == Counter({name: done[name] for name in ("total", "done")})
    assert {"cancelled": 2} == counted(tenant)
