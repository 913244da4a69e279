"""A person on call lists, shows, acknowledges, silences and resolves the alerts of a running system."""

import json
import os
import subprocess
import sys

import httpx


def _program(system, *words):
    environment = {**os.environ, "VESTIBULE_URL": system.url}
    command = [sys.executable, "-m", "vestibule", "alerts", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_an_alert_is_followed_from_the_leak_to_its_end(system, wait_until):
    """Each command takes effect, and the system records who ran it and why."""
    alert_id = system.add("on-call", "write to jane.roe.0042@example.org").json()["alert_id"]
    assert alert_id in _program(system).stdout
    assert alert_id in _program(system, "list", "--limit", "500").stdout

    wait_until(lambda: system.http.get(f"/alerts/{alert_id}").json()["group"], what="the alert's group")
    acked = json.loads(_program(system, "ack", alert_id, "--reason", "on it", "--json").stdout)
    assert ("acknowledged", "the development token", "on it") == tuple(
        acked["group"][name] for name in ("state", "state_by", "state_reason")
    )
    assert "group state: acknowledged" in _program(system, "show", alert_id).stdout
    assert "group state: resolved" in _program(system, "resolve", alert_id).stdout
    assert 1 == _program(system, "resolve", alert_id).returncode

    assert 0 == _program(system, "silence", "a drill", "--hours", "1", "--entity", "IBAN_CODE").returncode
    (silence,) = (one for one in system.http.get("/silences").json() if one["tenant"] == "~system")
    assert ("a drill", "IBAN_CODE", None) == (silence["reason"], silence["entity"], silence["type"])


def test_reasons_are_screened_and_unknown_callers_rejected(system):
    """Personal data is rejected in a reason as everywhere, and a silence needs a token."""
    wanted = {"reason": "ask jane.roe.0042@example.org", "hours": 1}
    assert 422 == system.http.post("/silences", json=wanted).status_code
    assert 401 == httpx.post(f"{system.url}/silences", json=wanted, timeout=40).status_code


def test_a_channel_is_tried(system):
    """A channel without its settings, or that does not exist, is an error."""
    assert 0 == _program(system, "test", "log").returncode
    assert "VESTIBULE_ALERT_WEBHOOK_URL" in _program(system, "test", "webhook").stderr
    assert 2 == _program(system, "test", "pigeon").returncode
