"""Recurring tasks as callers see them: kept, followed, listed, checked at the door, and deleted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from vestibule.service_kit.auth.token_file import create_token

POINTER = {"options": {"pointer": "/none"}, "every_s": 86_400}
LEAK = "write to jane.roe.4711@example.org today"


def program(system: Any, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vestibule", *words, "--url", system.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"})


@pytest.fixture
def listed(system: Any) -> Callable[[], list[dict[str, Any]]]:
    """The function that lists the schedules which were not there before the test."""

    def ask() -> list[dict[str, Any]]:
        return list(system.http.get("/schedules").json()["schedules"])

    before = [one["schedule_id"] for one in ask()]
    return lambda: [one for one in ask() if one["schedule_id"] not in before]


def test_a_schedule_makes_tasks_until_it_is_deleted(system: Any, listed: Any, wait_until: Callable[..., Any]) -> None:
    """Every second one task over the value that stands under the key then, with its options, and its result under
    another; the program lists it and deletes it.
    """
    system.add("report", '{"title": "first"}')
    how = ("--processor", "json_pointer", "--option", "pointer=/title", "--write-to", "title")
    added = program(system, "schedule", "add", "--key", "report", "--every", "1", *how, "--json")
    assert 0 == added.returncode, added.stderr
    schedule_id = json.loads(added.stdout)["schedule_id"]

    def last() -> dict[str, Any]:
        (one,) = listed()
        return dict(one)

    wait_until(lambda: last()["turns"] >= 2, what="two turns")
    task = system.http.get(f"/tasks/{last()['last_task_id']}", params={"wait": 30}).json()
    assert ("succeeded", "first") == (task["state"], task["result"])
    written = system.http.get("/read", params={"key": "title"}).json()
    assert ("first", True) == (written["value"], written["version"] >= 2)
    assert schedule_id in program(system, "schedule", "list").stdout
    assert 0 == program(system, "schedule", "delete", schedule_id).returncode
    assert [] == listed()
    assert 404 == system.http.delete(f"/schedules/{schedule_id}").status_code


def test_a_schedule_is_shown_paused_and_run(system: Any, wait_until: Callable[..., Any]) -> None:
    """A run by hand counts and leaves the times as they are; a paused one has no next run; one that is resumed has."""
    added = system.http.post("/schedules", json={"text": '{"a": 1}', "processor": "json_pointer", **POINTER}).json()
    one = added["schedule_id"]

    def shown() -> dict[str, Any]:
        return dict(system.http.get(f"/schedules/{one}").json())

    assert (5, added["next_at"], None) == (len(shown()["next_runs"]), shown()["next_at"], shown().get("last_outcome"))
    run = [system.http.post(f"/schedules/{one}/run", headers={"Idempotency-Key": "by-hand"}) for _ in range(2)]
    assert ([202, 202], run[0].json()) == ([answer.status_code for answer in run], run[1].json())
    task_id = run[0].json()["task_id"]
    assert "failed" == system.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()["state"]
    last = wait_until(lambda: (told := shown()["last_outcome"]).get("state") == "failed" and told, what="the outcome")
    assert (task_id, "PointerLeadsNowhere") == (last["task_id"], last["error"]["kind"])
    assert (1, added["next_at"]) == (shown()["turns"], shown()["next_at"])

    paused = program(system, "schedule", "pause", one)
    assert (0, True) == (paused.returncode, "is paused" in paused.stdout)
    assert ("paused", [], None) == (shown()["state"], shown()["next_runs"], shown().get("next_at"))
    assert 1 == program(system, "schedule", "run", one, "--wait", "30").returncode
    assert (2, 0) == (shown()["turns"], program(system, "schedule", "show", one).returncode)
    assert "active" == system.http.post(f"/schedules/{one}/resume").json()["state"]
    assert (True, 2) == (shown()["next_at"] > added["next_at"], shown()["turns"])

    token, _ = create_token(system.data_dir / "keys" / "tokens.json", "runner", ["run"], None, "default")
    written = system.http.post("/schedules", json={"text": "a", "every_s": 86_400, "write_to": "w"}).json()
    with system.client(token) as runner:
        wait_until(lambda: runner.get("/schedules").status_code == 200, what="the token")
        assert 403 == runner.post(f"/schedules/{written['schedule_id']}/run").status_code
    for schedule_id in (one, written["schedule_id"]):
        assert 200 == system.http.delete(f"/schedules/{schedule_id}").status_code
        verbs = [system.http.post(f"/schedules/{schedule_id}/{verb}") for verb in ("pause", "resume", "run")]
        assert [404] * 4 == [answer.status_code for answer in (*verbs, system.http.get(f"/schedules/{schedule_id}"))]


def test_the_program_adds_a_schedule_by_a_cron_expression(system: Any, listed: Any) -> None:
    """`--cron` alone is enough; with `--every` beside it, or with neither, nothing is added."""
    added = program(
        system, "schedule", "add", "--text", "a sunrise", "--cron", "30 6 * * 1-5", "--timezone", "Europe/Rome"
    )
    assert 0 == added.returncode, added.stderr
    (kept,) = listed()
    assert ("30 6 * * 1-5", "Europe/Rome") == (kept["cron"], kept["timezone"])
    assert f"{kept['schedule_id']} added: 30 6 * * 1-5 Europe/Rome, next 20" in added.stdout
    refused = [
        program(system, "schedule", "add", "--text", "a sunrise", *times).returncode
        for times in ((), ("--cron", "30 6 * * 1-5", "--every", "1m"), ("--every", "0"), ("--cron", "61 * * * *"))
    ]
    assert [1, 1, 1, 1] == refused
    assert 0 == program(system, "schedule", "delete", kept["schedule_id"]).returncode
    assert [] == listed()


def test_a_text_is_checked_before_it_recurs(system: Any, listed: Any) -> None:
    """Personal data in a text is refused as in a message, and appears nowhere; a clean one is kept and not shown."""
    refused = system.http.post("/schedules", json={"text": LEAK, "every_s": 3600})
    assert (422, "EMAIL_ADDRESS") == (refused.status_code, refused.json()["findings"][0]["entity"])
    assert [] == listed()
    chain = {"steps": [{"processor": "json_pointer", "options": {"pointer": f"/{LEAK}"}}]}
    terms = {"key": "k", "processor": "chain", "options": chain, "every_s": 3600}
    assert [422, 422] == [
        system.http.post("/schedules", json=terms | more).status_code for more in ({}, {"write_to": LEAK})
    ]
    assert b"jane.roe.4711" not in system.everything_written()

    headers = {"Idempotency-Key": "schedule-one"}
    body = {"text": "sunrise over the hills", "cron": "0 7 * * 1-5", "timezone": "Europe/Berlin"}
    kept = [system.http.post("/schedules", json=body, headers=headers) for _ in range(2)]
    assert [201, 201] == [answer.status_code for answer in kept]
    assert {"next_at", "decision_id", "findings"} <= kept[0].json().keys()
    (kept_one,) = listed()
    assert kept[0].json()["schedule_id"] == kept_one["schedule_id"]
    assert "sunrise" not in json.dumps(kept_one)
    assert 200 == system.http.delete(f"/schedules/{kept_one['schedule_id']}").status_code
    assert [] == listed()


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "k"},
        {"key": "k", "every_s": 0.1},
        {"key": "k", "every_s": 60, "cron": "* * * * *"},
        {"key": "k", "cron": "61 * * * *"},
        {"key": "k", "cron": "0 0 30 2 *"},
        {"key": "k", "cron": "* * * * *", "timezone": "Mars/Olympus"},
        {"every_s": 60},
        {"key": "k", "text": "t", "every_s": 60},
        {"key": "k", "every_s": 60, "processor": "nobody"},
        {"key": "k", "every_s": 60, "processor": "json_pointer", "options": {"pointer": 7}},
    ],
)
def test_what_cannot_recur_is_refused(system: Any, wrong: dict[str, Any]) -> None:
    """Times that never come, zones that do not exist, nothing to process or too much: a 422, and nothing is kept."""
    assert 422 == system.http.post("/schedules", json=wrong).status_code


def test_schedules_belong_to_a_tenant(system: Any) -> None:
    """Another tenant neither sees nor deletes them."""
    added = system.http.post("/schedules", json={"key": "k", "every_s": 86_400}).json()
    token, _ = create_token(system.data_dir / "keys" / "tokens.json", "neighbour", ["run"], None, "schedules-next-door")
    with system.client(token) as other:
        assert [] == other.get("/schedules").json()["schedules"]
        assert 404 == other.delete(f"/schedules/{added['schedule_id']}").status_code
    assert 200 == system.http.delete(f"/schedules/{added['schedule_id']}").status_code
