"""Who did what, and why, is on record: through routes and commands, whole after a restart, and exported."""

import json
import os
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from servers.receivers import HttpReceiver, running


@pytest.fixture(scope="module")
def own(start_for_module):
    """A system of its own: its audit is read whole."""
    return start_for_module(VESTIBULE_ALERT_EGRESS_SCHEMES='["http"]', VESTIBULE_ALERT_EGRESS_PRIVATE="true")


def _program(system, *words, code=0):
    environment = {
        **os.environ,
        "VESTIBULE_URL": system.url,
        "VESTIBULE_DATA_DIR": str(system.data_dir),
        "VESTIBULE_ALERT_EGRESS_SCHEMES": '["http"]',
        "VESTIBULE_ALERT_EGRESS_PRIVATE": "true",
    }
    command = [sys.executable, "-m", "vestibule", *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert code == ended.returncode, ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def _lines(system, **query):
    return system.http.get("/audit", params=query).raise_for_status().json()["lines"]


def _recorded(system, wait_until, act, count=1):
    def enough():
        found = _lines(system, act=act)
        return found if len(found) >= count else None

    return wait_until(enough, what=f"the audit of {act}")


def test_acts_are_recorded_with_who_and_why(own, wait_until):
    """What was done, refused or begun: with token, tenant, request, reason and target; a preview is no act."""
    wanted = {"reason": "ticket 4711: a drill", "hours": 1, "entity": "IBAN_CODE"}
    answer = own.http.post("/silences", json=wanted)
    silence_id = answer.json()["id"]
    (line,) = _recorded(own, wait_until, "silence_added")
    assert ("done", "default", "ticket 4711: a drill", silence_id, "client") == tuple(
        line[name] for name in ("outcome", "tenant", "reason", "target", "service")
    )
    assert ("the development token", answer.headers["x-request-id"]) == (line["token_name"], line["request_id"])

    own.http.delete(f"/silences/{silence_id}").raise_for_status()
    assert [silence_id] == [one["target"] for one in _recorded(own, wait_until, "silence_ended")]

    refused = {"reason": "ask jane.roe.0042@example.org", "hours": 1, "all": True}
    assert 422 == own.http.post("/silences", json=refused).status_code
    assert 404 == own.http.post("/tasks/jane.roe.0042@example.org/cancel").status_code
    (cancelled,) = _recorded(own, wait_until, "task_cancelled")
    assert ("refused", "task-not-found") == (cancelled["outcome"], cancelled["problem"])
    newest = _recorded(own, wait_until, "silence_added", 2)[0]
    assert ("refused", "personal-data") == (newest["outcome"], newest["problem"])
    assert "jane.roe" not in json.dumps(_lines(own))

    bulk = {"action": "cancel", "filter": {"processor": "uppercase"}, "reason": "a drill"}
    preview = own.http.post("/tasks/bulk", json=bulk).raise_for_status().json()
    own.http.post("/tasks/bulk", json={**bulk, "confirm": preview["confirm"]}).raise_for_status()
    assert ["a drill"] == [one["reason"] for one in _recorded(own, wait_until, "tasks_changed")]

    window = {"part": "database", "until": "2099-01-01T00:00:00Z"}
    assert 422 == own.http.post(f"{own.part_url(3)}/maintenance", json=window).status_code
    (planned,) = _recorded(own, wait_until, "maintenance_added")
    assert ("scheduler", "refused", "invalid-input") == tuple(
        planned[name] for name in ("service", "outcome", "problem")
    )
    assert "~system" == _recorded(own, wait_until, "policy_changed")[0]["tenant"]


def test_a_reveal_has_two_lines(own, wait_until):
    """It is on record before anything is given out, and again with its reason when it ended."""
    answer = own.http.post("/reveal", json={"token": "<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ>", "reason": "ticket 4711"})
    assert 404 == answer.status_code
    ended, begun = _recorded(own, wait_until, "value_revealed", 2)
    assert (["begun", "refused"], begun["act_id"]) == ([begun["outcome"], ended["outcome"]], ended["act_id"])
    assert (None, "ticket 4711") == (begun.get("reason"), ended["reason"])


def test_an_erasure_takes_the_reasons_with_it(own, wait_until):
    """The line stays, with the digest of the reason, and the chain is whole."""
    wanted = {"reason": "Umbrella Harness 4711 asked for it", "hours": 1, "entity": "US_SSN"}
    own.http.post("/silences", json=wanted).raise_for_status()
    wait_until(lambda: any("Umbrella" in one.get("reason", "") for one in _lines(own)), what="the reason")
    own.http.request("DELETE", "/subjects", json={"value": "Umbrella Harness 4711"}).raise_for_status()
    ended = _recorded(own, wait_until, "erasure_ended")[0]
    (started,) = (one for one in _lines(own, act="subject_erased") if one["outcome"] == "done")
    assert ended["target"] == started["target"]
    assert "Umbrella" not in json.dumps(_lines(own))
    assert "whole" in _program(own, "audit", "verify")


def test_commands_are_recorded_when_a_service_runs(own, wait_until, tmp_path):
    """They write into the data directory, and the service takes it in."""
    made = json.loads(
        _program(own, "token", "create", "--name", "auditor", "--scope", "audit", "--tenant", "acme", "--json")
    )
    _program(own, "db", "backup", str(tmp_path / "copy.db"))
    (line,) = _recorded(own, wait_until, "token_made")
    assert ("cli", "~system") == (line["service"], line["tenant"])
    assert line["token_name"].startswith("os:")
    _recorded(own, wait_until, "database_backed_up")

    headers = {"Authorization": f"Bearer {made['token']}"}
    wait_until(lambda: httpx.get(f"{own.url}/audit", headers=headers, timeout=40).status_code == 200, what="the token")
    assert [] == httpx.get(f"{own.url}/audit", headers=headers, timeout=40).json()["lines"]
    assert 403 == httpx.get(f"{own.url}/audit/head", headers=headers, timeout=40).status_code


def test_an_export_goes_on_where_it_stopped_and_verifies(own, wait_until, tmp_path):
    """To a file in each format, over HTTP and syslog; a change in the file, or a cut end, is found."""
    head = tmp_path / "head.json"
    for form in ("ecs", "ocsf", "json"):
        file = tmp_path / f"{form}.jsonl"
        _program(own, "audit", "export", "--to", str(file), "--format", form)
        own.http.post("/queue/pause", json={"reason": f"drill {form}"}).raise_for_status()
        own.http.post("/queue/resume", json={"reason": f"end {form}"}).raise_for_status()
        wait_until(lambda form=form: any(f"end {form}" == one.get("reason") for one in _lines(own)), what="the act")
        _program(own, "audit", "export", "--to", str(file), "--format", form)
        head.write_text(_program(own, "audit", "head"))
        assert "whole up to" in _program(own, "audit", "verify", str(file), "--head", str(head))
        events = file.read_text().splitlines()
        assert len(events) == json.loads(head.read_text())["seq"]

    _expect_broken(own, tmp_path, head, events)
    _expect_events(
        json.loads((tmp_path / "ecs.jsonl").read_text().splitlines()[-1]),
        json.loads((tmp_path / "ocsf.jsonl").read_text().splitlines()[-1]),
    )
    with running(HttpReceiver()) as receiver:
        position = str(tmp_path / "position")
        _program(own, "audit", "export", "--to", receiver.url("/events"), "--position", position)
        assert len(events) <= sum(len(one.body.splitlines()) for one in receiver.posted)
    _expect_syslog(own, tmp_path, len(events))


def _expect_broken(own, tmp_path, head, events):
    changed = [*events[:3], events[3].replace('"tenant"', '"tenant" ').replace("client", "cli"), *events[4:]]
    for name, lines, says in (
        ("changed", changed, "line 4"),
        ("removed", [*events[:2], *events[3:]], "line 3"),
        ("truncated", events[:-1], f"line {len(events)}"),
    ):
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(lines) + "\n")
        assert f"broken at {says}:" in _program(own, "audit", "verify", str(file), "--head", str(head), code=1)


def _expect_events(ecs, ocsf):
    event = ecs["event"]
    assert ("event", "success", "vestibule.audit") == (event["kind"], event["outcome"], event["dataset"])
    assert (6003, 600303, 1) == tuple(ocsf[name] for name in ("class_uid", "type_uid", "status_id"))
    assert event["sequence"] == ecs["vestibule"]["audit"]["seq"]
    assert ocsf["time"] > 1_700_000_000_000


def _expect_syslog(own, tmp_path, count):
    with socket.create_server(("127.0.0.1", 0)) as server:
        received = []

        def read():
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                received.append(stream.read())

        reader = threading.Thread(target=read)
        reader.start()
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        _program(own, "audit", "export", "--to", target, "--position", str(tmp_path / "syslog"))
        reader.join(timeout=40)
    length, _, rest = received[0].partition(b" ")
    first = rest[: int(length)].decode()
    assert first.startswith("<109>1 2")
    assert 1 == json.loads(first[first.index(" - {") + 3 :])["event"]["sequence"]
    assert received[0].count(b"vestibule.audit") >= count
