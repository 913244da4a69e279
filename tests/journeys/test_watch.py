"""A person looks after a running system: its page, its heartbeats, its maintenance, and what it remembers."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

FAST = {
    "VESTIBULE_PROBE_INTERVAL_S": "0.3",
    "VESTIBULE_PROBE_TIMEOUT_S": "2",
    "VESTIBULE_PROBE_SLOW_MS": "60000",
}
HEADERS = {"Authorization": "Bearer SECRET_TOKEN"}
WITHIN_S = 60


@pytest.fixture
def watched(start, wait_until):
    """A system of the test's own that looks several times a second and has found all parts up."""
    system = start(VESTIBULE_CONSOLE="on", **FAST)
    wait_until(lambda: {part["state"] for part in _status(system)["parts"]} == {"up"}, WITHIN_S, "all parts up")
    return system


def _status(system):
    return httpx.get(f"{system.part_url(3)}/status", headers=HEADERS, trust_env=False, timeout=40).json()


def _state(system, part):
    return next(one for one in _status(system)["parts"] if one["name"] == part)


def _program(system, *words):
    environment = {**os.environ, "VESTIBULE_SCHEDULER_URL": system.part_url(3)}
    command = [sys.executable, "-m", "vestibule", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def _reports(system, kind, subject):
    return [path for path in system.reports(kind) if f"Subject: {subject}\n" in path.read_text()]


def _page(system):
    # As a browser sends what its user has typed.
    return httpx.get(
        f"{system.part_url(3)}/status/page", auth=("anybody", "SECRET_TOKEN"), trust_env=False, timeout=40
    ).text


# It starts a system and a dozen programs, which takes its time on a busy machine.
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_system_is_looked_after(watched, wait_until):
    """Page, program, heartbeats and maintenance say the same, and all of it outlives kill -9 of the scheduler."""
    assert "<h1>All systems operational</h1>" in _page(watched)
    listed = _program(watched, "status")
    assert 0 == listed.returncode, listed.stderr
    assert {"client", "database", "store", "business_logic", "console", "queue", "workers", "backlog"} == {
        line.split()[0] for line in listed.stdout.splitlines()
    }

    # A heartbeat that is missed is told, and its alert is resolved by its return.
    _program(watched, "heartbeat", "ping", "backup", "--period", "0.5", "--grace", "0.1")
    (missed,) = wait_until(
        lambda: _reports(watched, "HeartbeatMissed", "heartbeat:backup"), WITHIN_S, "the missed heartbeat"
    )
    assert 1 == _program(watched, "status").returncode
    assert "<h1>backup missed its heartbeat</h1>" in _page(watched)
    alert_id = missed.stem.rpartition("_")[2]
    assert 0 == _program(watched, "heartbeat", "ping", "backup", "--period", "3600").returncode
    wait_until(lambda: _reports(watched, "HeartbeatRecovered", "heartbeat:backup"), WITHIN_S, "its return")
    wait_until(lambda: _group_state(watched, alert_id) == "resolved", WITHIN_S, "the end of the alert's group")

    # What is planned is not told; what is still away when the window ends is.
    window = json.loads(
        _program(
            watched, "maintenance", "start", "business_logic", "--for", "10m", "--reason", "moving", "--json"
        ).stdout
    )
    wait_until(lambda: _state(watched, "business_logic")["in_maintenance"], WITHIN_S, "the window")
    logic, *_ = watched.processes("vestibule serve business-logic")  # and the processes of its processors
    logic.send_signal(signal.SIGSTOP)
    wait_until(lambda: _state(watched, "business_logic")["state"] == "down", WITHIN_S, "the part down")
    assert "<h1>Maintenance in progress</h1>" in _page(watched)
    assert [] == _reports(watched, "ServiceDown", "business_logic")
    _program(watched, "maintenance", "end", window["id"])
    (down,) = wait_until(
        lambda: _reports(watched, "ServiceDown", "business_logic"), WITHIN_S, "the alert after the window"
    )

    # The scheduler is killed while the part is down: the next one knows, and tells of its return.
    before = _state(watched, "business_logic")["availability"]["day"]
    saved_at = _status(watched)["saved_at"]
    wait_until(lambda: _status(watched)["saved_at"] != saved_at, WITHIN_S, "a write of the history")
    (scheduler,) = watched.processes("vestibule serve scheduler")
    scheduler.kill()
    wait_until(lambda: _is_back(watched), WITHIN_S, "the next scheduler")
    again = _state(watched, "business_logic")
    assert "down" == again["state"]
    assert 0 < again["availability"]["day"] <= before
    assert ["backup"] == [one["name"] for one in _status(watched)["heartbeats"]]
    logic.send_signal(signal.SIGCONT)
    wait_until(lambda: _reports(watched, "ServiceRecovered", "business_logic"), WITHIN_S, "the alert of the return")
    assert [down] == _reports(watched, "ServiceDown", "business_logic")
    wait_until(lambda: _group_state(watched, down.stem.rpartition("_")[2]) == "resolved", WITHIN_S, "its end")
    assert "moving" in _program(watched, "maintenance", "list").stdout
    assert "Business logic service" in _page(watched).partition('id="incidents"')[2]


def _group_state(system, alert_id):
    group = system.http.get(f"/alerts/{alert_id}").json()["group"]
    return group and group["state"]


def _is_back(system):
    try:
        return _status(system)["role"] == "active"
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("path", ["/status/page", "/status/badge/client.svg"])
def test_the_page_and_the_badges_need_a_token(system, path):
    """A browser is asked for a password, which is the token; any other is refused and alerted."""
    url = system.part_url(3) + path
    asked = httpx.get(url, timeout=40)
    assert 401 == asked.status_code
    assert ["Bearer", "Basic"] == [each.split()[0] for each in asked.headers.get_list("WWW-Authenticate")]
    assert 401 == httpx.get(url, auth=("anybody", "wrong"), timeout=40).status_code
    assert 200 == httpx.get(url, auth=("anybody", "SECRET_TOKEN"), timeout=40).status_code
    assert 200 == httpx.get(url, headers={"Authorization": "Bearer SECRET_TOKEN"}, timeout=40).status_code


def test_what_the_watch_keeps_is_nobody_elses(system):
    """Callers neither see nor reach the entries of the watch, and what they write under its names is their own."""
    assert 200 == system.add("lease", "mine").status_code
    assert [] == system.http.get("/keys", params={"prefix": "minutes/"}).json()["keys"]
    assert 404 == system.http.get("/read", params={"key": "state"}).status_code
