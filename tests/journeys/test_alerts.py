"""A person on call lists, shows, acknowledges, silences and resolves the alerts of a running system."""

import json
import os
import subprocess
import sys

import httpx
import pytest

from servers.receivers import HttpReceiver, running
from vestibule.service_kit.auth.token_file import create_token


def _program(system, *words):
    environment = {**os.environ, "VESTIBULE_URL": system.url}
    command = [sys.executable, "-m", "vestibule", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_an_alert_is_followed_from_the_leak_to_its_end(system, wait_until):
    """Each command takes effect, and the system records who ran it and why."""
    alert_id = system.add("on-call", "write to jane.roe.0042@example.org").json()["alert_id"]
    assert alert_id in _program(system, "alerts").stdout
    assert alert_id in _program(system, "alert", "list", "--limit", "500").stdout

    wait_until(lambda: system.http.get(f"/alerts/{alert_id}").json()["group"], what="the alert's group")
    acked = json.loads(_program(system, "alert", "ack", alert_id, "--reason", "on it", "--json").stdout)
    assert ("acknowledged", "the development token", "on it") == tuple(
        acked["group"][name] for name in ("state", "state_by", "state_reason")
    )
    assert "state\tacknowledged" in _program(system, "alert", "show", alert_id).stdout
    assert f"{alert_id} is resolved" in _program(system, "alert", "resolve", alert_id).stdout
    assert 5 == _program(system, "alert", "resolve", alert_id).returncode

    drill = ("--reason", "a drill", "--for", "1h", "--entity", "IBAN_CODE")
    assert 0 == _program(system, "silence", "add", *drill).returncode
    (silence,) = (one for one in system.http.get("/silences").json() if one["tenant"] == "~system")
    assert ("a drill", "IBAN_CODE", None) == (silence["reason"], silence["entity"], silence["type"])


def test_reasons_are_screened_and_unknown_callers_rejected(system):
    """Personal data is rejected in a reason as everywhere, and a silence needs a token."""
    wanted = {"reason": "ask jane.roe.0042@example.org", "hours": 1, "all": True}
    assert 422 == system.http.post("/silences", json=wanted).status_code
    assert 401 == httpx.post(f"{system.url}/silences", json=wanted, timeout=40).status_code


def test_a_channel_is_tried(system):
    """A channel without its settings, or that does not exist, is an error."""
    assert 0 == _program(system, "channel", "test", "log", "--here").returncode
    assert "VESTIBULE_ALERT_WEBHOOK_URL" in _program(system, "channel", "test", "webhook", "--here").stderr
    assert 2 == _program(system, "channel", "test", "pigeon", "--here").returncode


@pytest.fixture(scope="module")
def hook():
    """A server that is notified."""
    with running(HttpReceiver()) as server:
        yield server


@pytest.fixture(scope="module")
def notifying(start_for_module, hook):
    """A system with a webhook, and a console that it links to."""
    return start_for_module(
        VESTIBULE_ALERT_CHANNELS='["report_file","webhook"]',
        VESTIBULE_ALERT_EGRESS_SCHEMES='["http"]',
        VESTIBULE_ALERT_EGRESS_PRIVATE="true",
        VESTIBULE_ALERT_WEBHOOK_URL=hook.url("/hook"),
        VESTIBULE_ALERT_WEBHOOK_SECRET="a-secret-4711",
        VESTIBULE_ALERT_GROUP_WAIT_S="0.1",
        VESTIBULE_CONSOLE_URL="https://console.example.org/",
    )


def _caller(system, name, *, scopes=("*",), tenant="default"):
    token = create_token(system.data_dir / "keys" / "tokens.json", name, list(scopes), tenant=tenant)[0]
    return httpx.Client(base_url=system.url, headers={"Authorization": f"Bearer {token}"}, timeout=40)


def _posted(hook, alert_id):
    return [told for told in (json.loads(one.text) for one in hook.posted) if told["id"] == alert_id]


def test_a_notification_leads_to_its_alert_and_to_what_to_do(notifying, hook, wait_until):
    """It has the name of the token, severity, count, tenant, replica, a link to the console and a runbook."""
    with _caller(notifying, "orders") as orders:
        wait_until(lambda: orders.get("/keys").status_code == 200, what="the token")
        alert_id = orders.post("/add", json={"key": "a", "value": "to jane.roe.1@example.org"}).json()["alert_id"]
        (told,) = wait_until(lambda: _posted(hook, alert_id), what="the notification")
        assert {"token_name": "orders", "severity": "warning", "count": 1, "tenant": "default"}.items() <= told.items()
        expected = (f"https://console.example.org/alerts/groups/{alert_id}", "docs/alerts.md#personaldata")
        assert expected == (told["link"], told["runbook"])
        (report,) = (notifying.data_dir / "error_reports").glob(f"*_{alert_id}.txt")
        lines = set(report.read_text().splitlines())
        own_page = f"Link: https://console.example.org/alerts/{alert_id}"
        assert {"Token: orders", f"Token-ID: {told['token_id']}", own_page} <= lines
        page = orders.get("/alerts", params={"q": told["request_id"], "token": told["token_id"]}).json()
        assert ([alert_id], told["replica"]) == ([one["id"] for one in page["alerts"]], page["replica"])
        assert "orders" == page["alerts"][0]["token_name"]


def test_groups_are_listed_and_keep_what_was_said_about_them(notifying, wait_until):
    """Filters find a group with its exact count; when it is resolved its acknowledgement stays in the history."""
    http = notifying.http
    for number in range(3):
        http.post("/add", json={"key": f"b{number}", "value": "card 4539148803436467"})
    wanted = {"type": "PersonalData", "entity": "CREDIT_CARD", "state": "open"}

    def counted():
        groups = http.get("/alert-groups", params=wanted).json()["groups"]
        return groups if groups and groups[0]["count"] == 3 else None

    (group,) = wait_until(counted, what="the group")
    assert 3 == len(http.get("/alerts", params=wanted).json()["alerts"])
    of_group = http.get("/alerts", params={"group": group["id"]}).json()["alerts"]
    assert (3, {"PersonalData"}) == (len(of_group), {one["type"] for one in of_group})
    # One that is resolved before it was told is not told.
    wait_until(lambda: http.get(f"/alert-groups/{group['id']}").json()["deliveries"], what="the notification")
    http.post(f"/alert-groups/{group['id']}/ack", json={"reason": "on it"}).raise_for_status()
    ended = http.post(f"/alert-groups/{group['id']}/resolve", json={"reason": "it is over"}).json()
    assert [("acknowledged", "on it"), ("resolved", "it is over")] == [
        (one["state"], one["reason"]) for one in ended["history"]
    ]
    assert "raised" in {one["event"] for one in ended["deliveries"]}
    assert 404 == http.post(f"/alert-groups/{group['id']}/ack", json={}).status_code
    assert [] == http.get("/alert-groups", params=wanted).json()["groups"]
    assert (
        group["id"] in _program(notifying, "alert", "groups", "--state", "resolved", "--entity", "CREDIT_CARD").stdout
    )


def test_a_silence_is_counted_extended_and_ended(notifying, hook, wait_until):
    """It says how much it held back, and which notification; what it held back comes when it ends."""
    http = notifying.http
    assert 422 == http.post("/silences", json={"reason": "too wide", "hours": 1}).status_code
    both = {"reason": "two ways", "hours": 1, "entity": "IBAN_CODE", "all": True}
    assert 422 == http.post("/silences", json=both).status_code
    # `token` is a filter of alerts and no member of silences: ignored, it would silence this type for all.
    misspelt = {"reason": "a drill", "hours": 1, "type": "Secret", "token": "development"}
    assert 422 == http.post("/silences", json=misspelt).status_code
    silence = http.post("/silences", json={"reason": "a drill", "hours": 1, "entity": "IBAN_CODE"}).json()
    leak = {"key": "c", "value": "account DE89370400440532013000"}
    alert_id = http.post("/add", json=leak).json()["alert_id"]
    place = f"/silences/{silence['id']}"
    held = wait_until(
        lambda: (one := http.get(place).json())["notifications"] == 1 and one, what="the silence to hold it back"
    )
    assert (1, []) == (held["alerts"], _posted(hook, alert_id))
    (by,) = http.get(f"/alert-groups/{alert_id}").json()["silenced_by"]
    assert (silence["id"], "raised") == (by["silence_id"], by["event"])
    extended = http.patch(place, json={"hours": 3, "reason": "it takes longer"}).json()
    assert ("the development token", "it takes longer") == (extended["changed_by"], extended["changed_reason"])
    assert extended["end"] > silence["end"]
    assert 422 == http.patch(place, json={"hours": 3, "reason": "ask jane.roe.2@example.org"}).status_code
    assert f"{silence['id']} is ended" in _program(notifying, "silence", "end", silence["id"]).stdout
    wait_until(lambda: _posted(hook, alert_id), what="what was held back")
    assert 404 == http.delete(place).status_code
    listed, ended = http.get("/silences").json(), http.get("/silences", params={"ended": "true"}).json()
    assert (False, True) == tuple(silence["id"] in [one["id"] for one in some] for some in (listed, ended))


def test_a_channel_of_the_running_system_is_tested(notifying, hook, wait_until):
    """The answer says what the channel says, without an address; a second test has to wait, and a tenant may not."""
    assert "webhook: delivered" in _program(notifying, "channel", "test", "webhook").stdout
    assert "Test" in {json.loads(one.text)["type"] for one in hook.posted}
    again = notifying.http.post("/channels/webhook/test")
    assert (429, "/problems/too-many-tests", "10") == (
        again.status_code,
        again.json()["type"],
        again.headers["retry-after"],
    )
    assert 404 == notifying.http.post("/channels/email/test").status_code
    shown = {one["name"]: one for one in notifying.http.get("/channels").json()}
    assert ["report_file", "webhook"] == list(shown)
    assert shown["webhook"]["last_delivery"]
    with _caller(notifying, "on-call", scopes=["alerts"]) as caller:
        wait_until(lambda: caller.get("/alerts").status_code == 200, what="the token")
        assert [403, 403] == [caller.get("/channels").status_code, caller.post("/channels/webhook/test").status_code]


def test_a_tenant_sees_its_own_groups_and_silences(notifying, wait_until):
    """Those of another tenant are not found, whatever is asked of them."""
    http = notifying.http
    alert_id = http.post("/add", json={"key": "d", "value": "call jane.roe.3@example.org"}).json()["alert_id"]
    group_id = wait_until(lambda: http.get(f"/alerts/{alert_id}").json()["group"], what="the group")["id"]
    silence = {"reason": "a drill", "hours": 1, "type": "Test"}
    silence_id = http.post("/silences", json=silence).json()["id"]
    with _caller(notifying, "north", tenant="north") as north:
        wait_until(lambda: north.get("/keys").status_code == 200, what="the token")
        assert [[], []] == [north.get("/alerts").json()["alerts"], north.get("/alert-groups").json()["groups"]]
        assert [404, 404] == [
            north.get(f"/alert-groups/{group_id}").status_code,
            north.post(f"/alert-groups/{group_id}/resolve", json={}).status_code,
        ]
        change = {"hours": 2}
        assert [404] * 3 == [
            north.get(f"/silences/{silence_id}").status_code,
            north.delete(f"/silences/{silence_id}").status_code,
            north.patch(f"/silences/{silence_id}", json=change).status_code,
        ]
