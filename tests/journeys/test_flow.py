"""The basic flow of a user: over HTTP and with the command line."""

import json
import os
import subprocess
import sys

import httpx
import pytest


def test_the_mission_verbatim(system):
    """Adding by query, running by query and asking for the task gives the stored value in upper case."""
    added = httpx.post(
        f"http://localhost:{system.base_port}/add?key=test1&value=hello",
        headers={"Authorization": "Bearer SECRET_TOKEN"},
        timeout=40,
    )
    assert 200 == added.status_code
    answer = added.json()
    assert 16 == len(answer.pop("decision_id"))
    # Others have written this key, too.
    assert answer.pop("version") >= 1
    assert {"status": "written", "key": "test1", "findings": []} == answer

    ran = httpx.post(
        f"http://localhost:{system.base_port}/run?key=test1",
        headers={"Authorization": "Bearer SECRET_TOKEN"},
        timeout=40,
    )
    assert 202 == ran.status_code
    task = system.http.get(ran.json()["status_url"], params={"wait": 20}).json()
    assert ("succeeded", "HELLO") == (task["state"], task["result"])
    assert task["submitted_at"] <= task["finished_at"]


def test_json_bodies(system):
    """The same with JSON, with a version that increases and a value that can be read with its ETag."""
    first = system.add("json-1", "straße")
    second = system.add("json-1", "straße 2")
    assert [1, 2] == [first.json()["version"], second.json()["version"]]

    read = system.http.get("/read", params={"key": "json-1"})
    assert {"key": "json-1", "value": "straße 2", "version": 2} == read.json()
    assert '"2"' == read.headers["etag"]
    assert 304 == system.http.get("/read", params={"key": "json-1"}, headers={"If-None-Match": '"2"'}).status_code

    ran = system.http.post("/run", json={"key": "json-1", "processor": "normalize"})
    assert "straße 2" == system.http.get(ran.json()["status_url"], params={"wait": 20}).json()["result"]


def test_messages(system):
    """A message goes to a worker; with mode sync the business logic service replies at once."""
    queued = system.http.post("/messages", json={"text": "good morning"})
    assert 202 == queued.status_code
    task = system.http.get(queued.json()["status_url"], params={"wait": 20}).json()
    assert "GOOD MORNING" == task["result"]

    answered = system.http.post("/messages", json={"text": "good evening", "mode": "sync"})
    assert (200, "GOOD EVENING") == (answered.status_code, answered.json()["reply"])


def test_many_tasks_all_end(system):
    """Every accepted task ends, each with its own result."""
    accepted = [system.http.post("/messages", json={"text": f"number n{n}"}).json() for n in range(40)]
    results = [system.http.get(a["status_url"], params={"wait": 30}).json()["result"] for a in accepted]
    assert [f"NUMBER N{n}" for n in range(40)] == results


def test_a_request_is_followed_by_its_id_into_the_worker(system, wait_until):
    """One X-Request-ID is in the log lines of the client service, the database service and the worker."""
    system.add("followed", "text")
    answer = system.http.post("/run", params={"key": "followed"}, headers={"X-Request-ID": "follow-me-please"})
    assert "follow-me-please" == answer.headers["x-request-id"]
    system.http.get(answer.json()["status_url"], params={"wait": 20})

    def services() -> set[str]:
        return {line["service"] for line in system.log_lines(request_id="follow-me-please")}

    wait_until(lambda: services() & {"worker1", "worker2"} and {"client", "database"} <= services(), what="all lines")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/read?key=no-such-key", 404),
        ("POST", "/run?key=no-such-key", 404),
        ("GET", "/tasks/0b7c5a3e-0000-4a43-9c55-0a7d6a2f6f0e", 404),
        ("POST", "/run?key=test1&processor=none", 422),
        ("POST", "/add?key=only", 422),
        ("GET", "/alerts/0123456789abcdef", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/add", 405),
    ],
)
def test_refusals_are_problem_documents(system, method, path, status):
    """Every rejection is an RFC 9457 document with the request's id."""
    answer = system.http.request(method, path)
    problem = answer.json()
    assert status == answer.status_code == problem["status"]
    assert "application/problem+json" == answer.headers["content-type"]
    assert f"urn:request:{answer.headers['x-request-id']}" == problem["instance"]
    assert {"type", "title", "detail"} <= problem.keys()


def test_the_command_line_against_a_running_system(system):
    """add, read, run, task, message, scan, alerts: each prints what a person expects, and JSON on demand."""
    environment = {**os.environ, "VESTIBULE_URL": system.url}

    def vestibule(*words: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "vestibule", *words], env=environment, capture_output=True, text=True, timeout=60
        )
        assert expect == done.returncode, done.stderr
        return (done.stdout if expect == 0 else done.stderr).strip()

    assert "greeting written as version 1" == vestibule("add", "greeting", "hello there")
    assert "hello there" == vestibule("read", "greeting")
    assert "HELLO THERE" == vestibule("run", "greeting", "--wait", "20")
    task_id = vestibule("run", "greeting")
    assert "HELLO THERE" == vestibule("task", task_id, "--wait", "20")
    assert "succeeded" == json.loads(vestibule("task", task_id, "--json"))["state"]
    assert "HEY" == vestibule("message", "hey", "--sync")
    assert "EMAIL_ADDRESS" in vestibule("add", "mail", "write to jane.roe@example.org", expect=3)
    assert "PersonalData" in vestibule("alerts")
    assert "Key not found" in vestibule("read", "no-such-key", expect=5)
    vestibule("add", expect=2)


def test_the_description_of_the_api_is_served(system):
    """/docs and the OpenAPI document describe every route of the contract."""
    paths = system.http.get("/openapi.json").json()["paths"]
    expected = {"/add", "/run", "/tasks/{task_id}", "/messages", "/scan", "/alerts", "/alerts/{alert_id}", "/read"}
    assert expected <= paths.keys()
    assert 200 == system.http.get("/docs").status_code


# These change what other tests of the shared system see, or do not end.
NOT_TRIED = {"/subjects", "/silences", "/watch"}


def test_what_the_description_shows_can_be_sent(system):
    """Every example request of the description is accepted as it is, with a status that the description lists."""
    paths = system.http.get("/openapi.json").json()["paths"]
    assert paths
    for path, methods in paths.items():
        for method, operation in methods.items():
            if path in NOT_TRIED:
                continue
            given = {one["name"]: one["example"] for one in operation.get("parameters", ()) if one.get("required")}
            query = {name: value for name, value in given.items() if f"{{{name}}}" not in path}
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            answer = system.http.request(method, path.format(**given), params=query, json=body)
            assert str(answer.status_code) in operation["responses"], (method, path, answer.text)
            assert answer.is_success or "invalid-input" not in answer.text, (method, path, answer.text)
    for kept in system.http.get("/schedules").json()["schedules"]:
        system.http.delete(f"/schedules/{kept['schedule_id']}")
