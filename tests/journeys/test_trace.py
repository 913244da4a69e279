"""The timeline of a request, task, decision, alert or job, and the ids that everything carries to make one."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from servers.receivers import HttpReceiver, running
from vestibule.service_kit.auth.token_file import create_token

MAIL = "write to jane.roe.4711@example.org"
POLICY = """
[entities]
EMAIL_ADDRESS = "block"
[[rules]]
entities = ["EMAIL_ADDRESS"]
routes = ["/messages"]
action = "alert"
"""


@pytest.fixture(scope="module")
def hook() -> Iterator[HttpReceiver]:
    """A server that takes callbacks."""
    with running(HttpReceiver()) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def own(start_for_module: Any, tmp_path_factory: pytest.TempPathFactory, hook: HttpReceiver) -> Any:
    """A system that blocks addresses in entries, and lets messages with them pass."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(POLICY)
    return start_for_module(
        VESTIBULE_POLICY_FILE=str(policy),
        VESTIBULE_CALLBACK_SECRET="a-secret-of-the-tests-alone",
        VESTIBULE_CALLBACK_ORIGINS=json.dumps([hook.url("").rstrip("/")]),
    ).ask_again()


@pytest.fixture(scope="module")
def orders(own: Any, wait_until: Any) -> Iterator[tuple[httpx.Client, str]]:
    """A caller of the default tenant, and the id of its token."""
    token, record = create_token(own.data_dir / "keys" / "tokens.json", "orders", ["*"])
    with own.client(token) as client:
        wait_until(lambda: client.get("/keys").status_code == 200, what="the token")
        yield client, record.id


def trace(caller: httpx.Client, wanted: str) -> list[dict[str, Any]]:
    """Return the events of a timeline, which are in order; none where nothing is known."""
    answer = caller.get(f"/trace/{wanted}")
    events: list[dict[str, Any]] = answer.json().get("events", [])
    assert answer.status_code in (200, 404), answer.text
    assert sorted(event["at"] for event in events) == [event["at"] for event in events]
    return events


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def until(caller: httpx.Client, wanted: str, wait_until: Any, *kinds: str) -> list[dict[str, Any]]:
    """Return the timeline when it has all these kinds."""

    def found() -> list[dict[str, Any]] | None:
        events = trace(caller, wanted)
        return events if set(kinds) <= {event["kind"] for event in events} else None

    events: list[dict[str, Any]] = wait_until(found, 60, f"{kinds} of {wanted}")
    return events


def test_a_leak_is_one_timeline_by_any_of_its_ids(own: Any, orders: Any, wait_until: Any) -> None:
    """Request, decision without text and alert, with the token; the log and the report carry the same ids."""
    caller, token_id = orders
    refused = caller.post("/add", json={"key": "k", "value": MAIL})
    assert 422 == refused.status_code
    request_id, told = refused.headers["x-request-id"], refused.json()
    first = until(caller, request_id, wait_until, "request", "decision", "alert")
    assert {"request", "decision", "alert"} <= {event["kind"] for event in first}
    # What follows an alert, such as its group, arrives a moment later.
    ids = (request_id, told["decision_id"], told["alert_id"])
    first = wait_until(
        lambda: (seen := [trace(caller, one) for one in ids])[1:] == seen[:-1] and seen[0], 60, "the same by each id"
    )
    (request,), (decision,), (alert,) = (of_kind(first, kind) for kind in ("request", "decision", "alert"))
    assert ("/add", "blocked") == (request["route"], request["outcome"])
    assert [("EMAIL_ADDRESS", "block", "value")] == [
        (one["entity"], one["action"], one["field"]) for one in decision["findings"]
    ]
    assert (told["alert_id"], "PersonalData") == (alert["alert_id"], alert["type"])
    for one in (request, decision, alert):
        assert (request_id, token_id, "orders") == (one["request_id"], one["token_id"], one["token_name"]), one
    assert "jane" not in json.dumps(first)
    (line,) = own.log_lines(event="request", request_id=request_id, service="client")
    assert (token_id, "orders") == (line["token_id"], line["token_name"])
    (report,) = [path.read_text() for path in own.reports("PersonalData") if told["alert_id"] in path.name]
    for expected in (f"Request-ID: {request_id}", f"Token-ID: {token_id}", "Token: orders"):
        assert expected in report
    typed = [sys.executable, "-m", "vestibule", "trace", request_id, "--url", own.url]
    shown = subprocess.run(typed, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "EMAIL_ADDRESS:block in value" in shown
    assert re.search(r"^\S+Z\t0\trequest\t", shown, re.M)


def test_a_task_is_traced_from_its_request_to_its_callback(
    own: Any, orders: Any, hook: HttpReceiver, wait_until: Any
) -> None:
    """Decision, alert, acceptance, attempt with its worker, the written result, the end and the callback."""
    caller, token_id = orders
    work = {"text": f"{MAIL} of the task", "callback": hook.url("/hook"), "write_to": "traced"}
    sent = caller.post("/messages", json=work)
    assert 202 == sent.status_code, sent.text
    task_id, request_id = sent.json()["task_id"], sent.headers["x-request-id"]
    kinds = ("request", "decision", "alert", "task_accepted", "attempt", "result_written", "task_ended", "callback")
    wait_until(lambda: own.log_lines(event="callback_delivered", task_id=task_id), 60, "the callback")
    events = until(caller, task_id, wait_until, *kinds)
    assert events == trace(caller, request_id)
    ((attempt,), (ended,), (callback,)) = (of_kind(events, kind) for kind in ("attempt", "task_ended", "callback"))
    assert (1, "succeeded", "delivered") == (attempt["attempt"], ended["state"], callback["state"])
    assert attempt["worker"].startswith("worker")
    (line,) = own.log_lines(event="callback_delivered", task_id=task_id)
    started = own.log_lines(event="task_started", task_id=task_id)
    relayed = [line, *started, *own.log_lines(event="task_succeeded", task_id=task_id)]
    assert 3 == len(relayed)
    for one in relayed:
        assert (request_id, token_id, "orders") == (one["request_id"], one["token_id"], one["token_name"]), one
    assert "jane" not in json.dumps(events).lower()


def test_retries_name_who_asked_for_them(own: Any, orders: Any, wait_until: Any) -> None:
    """A failed task that is retried has two attempts with their cause, and its alerts carry its ids."""
    caller, token_id = orders
    caller.post("/add", json={"key": "broken", "value": "no json"})
    ran = caller.post("/run", json={"key": "broken", "processor": "json_pointer", "options": {"pointer": "/a"}})
    task_id = ran.json()["task_id"]
    wait_until(lambda: caller.get(f"/tasks/{task_id}", params={"wait": 30}).json()["state"] == "failed", 60, "the end")
    # What the ledger has yet to record cannot be retried.
    wait_until(lambda: caller.post(f"/tasks/{task_id}/retry").status_code == 200, 60, "the retry")
    wait_until(lambda: len(of_kind(trace(caller, task_id), "attempt")) == 2, 60, "the second attempt")
    events = until(caller, task_id, wait_until, "task_ended", "alert")
    (retried,) = of_kind(events, "task_retried")
    assert (token_id, "orders") == (retried["token_id"], retried["token_name"])
    assert [(1, "invalid_data"), (2, "invalid_data")] == [
        (one["attempt"], one["cause"]) for one in of_kind(events, "attempt")
    ]
    alert = of_kind(events, "alert")[0]
    assert ("TaskFailed", task_id, ran.headers["x-request-id"], token_id, "orders") == (
        *(alert["type"], alert["task_id"], alert["request_id"]),
        *(alert["token_id"], alert["token_name"]),
    )
    refused = caller.post("/tasks/bulk", json={"action": "drop", "filter": {"state": ["dead"]}}).json()
    started = caller.post("/tasks/bulk", json={"action": "drop", "filter": {"state": ["dead"]}, **_confirm(refused)})
    assert 202 == started.status_code, started.text
    job_id = started.json()["job_id"]
    (job,) = of_kind(until(caller, job_id, wait_until, "job_finished"), "job_started")
    assert ("drop", token_id) == (job["job"], job["token_id"])


def _confirm(preview: dict[str, Any]) -> dict[str, str]:
    return {"confirm": preview["confirm"]}


def test_a_task_names_its_schedule(orders: Any, wait_until: Any) -> None:
    """A run that somebody asked for has the request of that and the schedule."""
    caller, token_id = orders
    schedule = {"text": "tick", "processor": "uppercase", "every_s": 86_400}
    added = caller.post("/schedules", json=schedule)
    assert added.status_code in (200, 201), added.text
    schedule_id = added.json()["schedule_id"]
    ran = caller.post(f"/schedules/{schedule_id}/run")
    events = until(caller, ran.json()["task_id"], wait_until, "task_scheduled", "task_ended")
    (scheduled,), (accepted,) = (of_kind(events, kind) for kind in ("task_scheduled", "task_accepted"))
    assert schedule_id == scheduled["schedule_id"]
    assert (ran.headers["x-request-id"], token_id) == (accepted["request_id"], accepted["token_id"])


def test_only_its_tenant_and_operators_see_a_timeline(own: Any, orders: Any, wait_until: Any) -> None:
    """Others get the same 404 as for an id that nobody has; an alert of another host is named, not missing."""
    caller, _ = orders
    refused = caller.post("/add", json={"key": "k2", "value": MAIL})
    alert_id, decision_id = refused.json()["alert_id"], refused.json()["decision_id"]
    until(caller, decision_id, wait_until, "decision", "alert")
    token, _ = create_token(own.data_dir / "keys" / "tokens.json", "north", ["*"], tenant="north")
    with own.client(token) as other:
        wait_until(lambda: other.get("/keys").status_code == 200, what="the token")
        for wanted in (alert_id, decision_id, refused.headers["x-request-id"], "0" * 16):
            answer = other.get(f"/trace/{wanted}")
            assert (404, "/problems/trace-not-found") == (answer.status_code, answer.json()["type"])
    assert of_kind(trace(own.http, decision_id), "alert")
    # The store of another host does not have it.
    (store,) = [path for path in own.data_dir.glob("**/alerts*.db") if path.is_file()]
    with sqlite3.connect(store, timeout=30) as connection:
        connection.execute("DELETE FROM alerts WHERE id = ?", (alert_id,))
    (elsewhere,) = of_kind(until(caller, decision_id, wait_until, "alert_elsewhere"), "alert_elsewhere")
    assert alert_id == elsewhere["alert_id"]
    assert elsewhere["replica"]


# The last one: it stops a part.
def test_what_is_known_is_told_while_a_part_is_away(own: Any, orders: Any, wait_until: Any) -> None:
    """Without the database service the alert is told and the part is named; where nothing is known it is a 503."""
    caller, _ = orders
    alert_id = caller.post("/add", json={"key": "k3", "value": MAIL}).json()["alert_id"]
    until(caller, alert_id, wait_until, "decision", "alert")
    (database,) = own.processes("vestibule serve database")
    database.send_signal(signal.SIGSTOP)
    try:
        with httpx.Client(base_url=own.url, headers=caller.headers, timeout=60) as impatient:
            told = impatient.get(f"/trace/{alert_id}")
            unknown = impatient.get(f"/trace/{'0' * 16}")
    finally:
        database.send_signal(signal.SIGCONT)
    assert (200, {"database"}) == (told.status_code, {one["part"] for one in told.json()["incomplete"]})
    assert of_kind(told.json()["events"], "alert")
    assert 503 == unknown.status_code
