"""Personal data, secrets, unknown callers and malformed input are rejected, alerted, and never repeated."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from servers.ports import free_row

LEAKS = {
    "EMAIL_ADDRESS": "write to jane.roe.4711@example.org today",
    "PHONE_NUMBER": "call me at +49 30 901820 tomorrow",
    "CREDIT_CARD": "my card is 4111 1111 1111 1111 thanks",
    "IBAN_CODE": "pay to DE89 3704 0044 0532 0130 00 please",
    "US_SSN": "my ssn is 536-90-4399",
    "PASSWORD": "the password is Tr0ub4dor&3x",
}


def found(answer: httpx.Response) -> set[str]:
    return {finding["entity"] for finding in answer.json()["findings"]}


@pytest.mark.parametrize("entity", LEAKS)
def test_a_leak_is_rejected_alerted_and_not_repeated(system, entity):
    """The 422 has entity and position; alert, log and output contain nothing of the text."""
    text = LEAKS[entity]
    answer = system.add(f"leak-{entity.lower()}", text)
    problem = answer.json()
    assert 422 == answer.status_code
    assert entity in found(answer)
    assert all(0 <= f["start"] < f["end"] <= len(text) for f in problem["findings"])
    assert 404 == system.http.get("/read", params={"key": f"leak-{entity.lower()}"}).status_code

    alert = system.http.get(f"/alerts/{problem['alert_id']}").json()
    assert entity in alert["entities"]
    assert answer.headers["x-request-id"] == alert["request_id"]
    secret = text[problem["findings"][0]["start"] : problem["findings"][0]["end"]]
    assert secret.encode() not in system.everything_written()
    assert secret not in answer.text


def test_keys_and_messages_are_screened_like_values(system):
    """Personal data is rejected in a key, in a query and in a message of either mode."""
    leak = "john.doe.0815@example.com"
    answers = [
        system.add(leak, "text"),
        system.http.post("/add", params={"key": "k", "value": leak}),
        system.http.post("/messages", json={"text": leak}),
        system.http.post("/messages", json={"text": leak, "mode": "sync"}),
    ]
    assert [422] * 4 == [answer.status_code for answer in answers]
    assert all(found(answer) == {"EMAIL_ADDRESS"} for answer in answers)
    assert leak.encode() not in system.everything_written()


def test_scan_stores_nothing_and_raises_no_alert(system):
    """/scan has the same findings, for one text and for many, and raises no alert."""
    before = len(system.reports())
    one = system.http.post("/scan", json={"text": LEAKS["IBAN_CODE"]})
    many = system.http.post("/scan", json={"texts": ["nothing here", LEAKS["EMAIL_ADDRESS"]]})
    assert {"IBAN_CODE"} == found(one)
    assert [set(), {"EMAIL_ADDRESS"}] == [{f["entity"] for f in r["findings"]} for r in many.json()["results"]]
    assert before == len(system.reports())


def test_scan_explains_without_the_value(system):
    """With explain, each finding names rule, check and context words, and nothing of the value."""
    answer = system.http.post("/scan", json={"text": LEAKS["IBAN_CODE"], "explain": True})
    (finding,) = answer.json()["findings"]
    assert "IBAN_CODE" == finding["entity"]
    assert {"rule", "check", "context", "decoded_from"} == finding["because"].keys()
    assert "3704 0044" not in answer.text


def test_unknown_callers_are_rejected_and_alerted(system):
    """No token and an unknown token get a 401; the alert has a keyed fingerprint of the token only."""
    before = len(system.reports("InvalidToken"))
    unknown = "vst_this-token-is-unknown-0123456789"
    for headers in ({}, {"Authorization": f"Bearer {unknown}"}, {"Authorization": "Basic dXNlcjpwYXNz"}):
        answer = httpx.post(f"{system.url}/add?key=a&value=b", headers=headers, timeout=40)
        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert before + 3 == len(system.reports("InvalidToken"))
    assert unknown.encode() not in system.everything_written()


def test_the_database_service_refuses_the_callers_token(system):
    """A caller's token is valid at the client service only; the database service accepts services alone."""
    answer = httpx.get(
        f"{system.part_url(1)}/read?key=test1", headers={"Authorization": "Bearer SECRET_TOKEN"}, timeout=40
    )
    assert 401 == answer.status_code


def test_malformed_requests_are_rejected_alerted_and_not_repeated(system):
    """Broken JSON, wrong members and wrong types are a 422 with an alert, and nothing of them is repeated."""
    before = len(system.reports("InvalidInput"))
    # With a token of its own, since one token has 20 reports a minute; where none can be made, nobody else sends these.
    made = system.http.post("/tokens", json={"name": "malformed", "scopes": ["add"]})
    http = system.client(made.json()["token"]) if made.status_code == 201 else system.http
    marker = "zebra-marker-5150"
    bodies = [
        b'{"key": "zebra-marker-5150", ',
        b'{"zebra-marker-5150": 1}',
        b'{"key": ["zebra-marker-5150"], "value": 3}',
        b"\xff\xfe zebra-marker-5150",
        b"[" * 100_000,
        b'{"key": "k", "value": "zebra-marker-5150 \\ud800"}',
        b'{"key": "zebra-marker-5150 \\u0000", "value": "v"}',
    ]
    for body in bodies:
        answer = http.post("/add", content=body, headers={"Content-Type": "application/json"})
        assert 422 == answer.status_code, answer.text
        assert marker not in answer.text
    assert before + len(bodies) == len(system.reports("InvalidInput"))
    assert marker.encode() not in system.everything_written()


def test_a_body_or_value_that_is_too_large_is_a_413(system):
    """A body over the limit is a 413, and so is a value over its own limit; neither is stored."""
    assert 413 == system.add("big", "x" * 5_000_000).status_code
    assert 413 == system.add("big", "x" * 1_100_000).status_code
    assert 200 == system.add("big", "x" * 1_000_000).status_code


def test_200_leaks_at_once_give_200_alerts(system):
    """Under load no alert is lost: as many reports as leaks, each whole."""
    before = len(system.reports("PersonalData"))
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda n: system.add(f"storm-{n}", f"mail to user{n}@example.net"), range(200)))
    assert {422} == {answer.status_code for answer in answers}
    reports = system.reports("PersonalData")[before:]
    assert 200 == len(reports)
    assert {a.json()["alert_id"] for a in answers} == {path.stem.rsplit("_", 1)[1] for path in reports}
    for path in reports:
        text = path.read_text()
        assert all(f"\n{label}: " in f"\n{text}" for label in ("Time", "Type", "Description", "Alert-ID"))
        assert "@" not in text


@pytest.fixture(scope="module")
def redacting(start_for_module):
    """A system with a policy of its own, which the settings name until a policy file takes their place."""
    policy = '{"IBAN_CODE": "alert", "PASSWORD": "block"}'
    return start_for_module(VESTIBULE_POLICY="redact", VESTIBULE_ENTITY_POLICY=policy).ask_again()


def test_redact_and_alert_policies(redacting):
    """`redact` stores the text with entity names in place, `alert` stores it unchanged; both raise an alert."""
    system = redacting
    redacted = system.add("note", LEAKS["EMAIL_ADDRESS"])
    assert (200, {"EMAIL_ADDRESS"}) == (redacted.status_code, found(redacted))
    stored = system.http.get("/read", params={"key": "note"}).json()["value"]
    assert "write to <EMAIL_ADDRESS> today" == stored

    assert 200 == system.add("bank", LEAKS["IBAN_CODE"]).status_code
    assert LEAKS["IBAN_CODE"] == system.http.get("/read", params={"key": "bank"}).json()["value"]
    assert 422 == system.add("pass", LEAKS["PASSWORD"]).status_code
    assert 3 == len(system.reports())

    printed = [
        vestibule("add", "note", LEAKS[entity], "--url", system.url).stdout for entity in ("EMAIL_ADDRESS", "IBAN_CODE")
    ]
    assert [
        "note written as version 2 (EMAIL_ADDRESS redacted)\n",
        "note written as version 3 (IBAN_CODE stored unchanged, with an alert)\n",
    ] == printed


def test_metrics_count_and_hold_no_data(system):
    """/metrics needs no token, counts requests by route, and has no value, key or query in its labels."""
    system.add("metric-key-zq", "metric-value-zq")
    text = httpx.get(f"{system.url}/metrics", timeout=40).text
    assert 'route="/add"' in text
    assert "-zq" not in text


def vestibule(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "vestibule", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def write_policy(system, text: str) -> None:
    fresh = system.data_dir / "policy.new"
    fresh.write_text(text)
    fresh.replace(system.data_dir / "policy.toml")


def _actions(answer: httpx.Response) -> set[str]:
    return {finding["action"] for finding in answer.json()["findings"]}


def stored(system, key: str) -> str:
    return system.http.get("/read", params={"key": key}).json()["value"]


def test_a_policy_file_is_followed_while_the_system_runs(redacting, wait_until):
    """Every action of a changed file applies without a restart; an invalid file raises an alert and changes nothing."""
    system = redacting
    assert {"redact"} == _actions(system.add("note", LEAKS["EMAIL_ADDRESS"]))
    write_policy(
        system,
        """
        [entities]
        EMAIL_ADDRESS = "tokenize"
        PHONE_NUMBER = { action = "mask", severity = "info" }
        CREDIT_CARD = "hash"
        [[rules]]
        entities = ["EMAIL_ADDRESS"]
        key_prefixes = ["drafts/"]
        action = "alert"
        """,
    )
    wait_until(lambda: _actions(system.add("note", LEAKS["EMAIL_ADDRESS"])) == {"tokenize"}, what="the policy file")
    token = stored(system, "note").removeprefix("write to ").removesuffix(" today")
    assert token.startswith("<EMAIL_ADDRESS.")
    assert 200 == system.add("again", LEAKS["EMAIL_ADDRESS"]).status_code
    assert token in stored(system, "again")
    assert 200 == system.add("drafts/1", LEAKS["EMAIL_ADDRESS"]).status_code
    assert LEAKS["EMAIL_ADDRESS"] == stored(system, "drafts/1")
    assert 200 == system.add("phone", LEAKS["PHONE_NUMBER"]).status_code
    assert stored(system, "phone").endswith("*1820 tomorrow")
    assert 200 == system.add("card", LEAKS["CREDIT_CARD"]).status_code
    assert "my card is <CREDIT_CARD#e" in stored(system, "card")
    assert 422 == system.add("jane.roe.4711@example.org", "a token would make another key of it").status_code
    assert b"jane.roe" not in system.everything_written()

    revealed = system.http.post("/reveal", json={"token": token, "reason": "ticket 42: a call back"})
    assert ("jane.roe.4711@example.org", False) == (revealed.json()["value"], revealed.json()["rotated"])
    assert "ticket 42" in system.http.get(f"/alerts/{revealed.json()['alert_id']}").json()["description"]
    for body, status in (
        ({"token": token[:-6] + "AAAAA>", "reason": "ticket 42"}, 404),
        ({"token": token, "reason": "asked by john.doe@example.org"}, 422),
        ({"token": token, "reason": ""}, 422),
    ):
        assert status == system.http.post("/reveal", json=body).status_code
    assert b"john.doe" not in system.everything_written()

    write_policy(system, '[entities]\nEMAIL_ADRESS = "alert"\n')
    (report,) = wait_until(lambda: system.reports("PolicyBroken"))
    assert "line 2: unknown entity or group EMAIL_ADRESS" in report.read_text()
    wait_until(lambda: system.http.get("/readyz").status_code == 200, what="readiness")
    assert 200 == system.add("note", LEAKS["EMAIL_ADDRESS"]).status_code


def test_a_dry_run_refuses_nothing_and_is_replayed(start, tmp_path):
    """Replies have the withheld action; a replay shows the actions of another policy, without any text."""
    (tmp_path / "dry.toml").write_text("dry_run = true")
    system = start(VESTIBULE_POLICY_FILE=str(tmp_path / "dry.toml"))
    added = system.add("note", LEAKS["EMAIL_ADDRESS"]).json()
    assert ("block", "alert", "block") == (
        added["would_have"],
        added["findings"][0]["action"],
        added["findings"][0]["would_have"],
    )
    assert LEAKS["EMAIL_ADDRESS"] == stored(system, "note")
    assert 0 == system.stop()
    (tmp_path / "other.toml").write_text('default = "mask"')
    options = ("--data-dir", str(system.data_dir), "--policy", str(tmp_path / "other.toml"), "--json")
    shown = json.loads(vestibule("policy", "replay", *options).stdout)
    (mail,) = shown["entities"]
    assert ("EMAIL_ADDRESS", {"block": 1}, {"mask": 1}) == (mail["entity"], mail["recorded"], mail["replayed"])
    assert (1, 0) == (shown["blocked_recorded"], shown["blocked_replayed"])
    assert "jane" not in "".join(path.read_text() for path in (system.data_dir / "decisions").iterdir())


def test_receipts_are_verified(system, tmp_path, wait_until):
    """Decisions are signed at once for who prefers that, of accepted and of rejected requests, or later by their id.

    A changed receipt is invalid.
    """
    of = ("--url", system.url)
    leak = LEAKS["EMAIL_ADDRESS"]
    sent = [("/add", {"key": "receipt", "value": "hello"}), ("/add", {"key": "receipt", "value": leak})]
    sent += [("/messages", {"text": "hello"}), ("/messages", {"text": "hello", "mode": "sync"})]
    answers = [
        system.http.post(path, json=body, headers={"Prefer": 'wait=1, foo="a, receipt", RECEIPT'})
        for path, body in sent
    ]
    assert ["receipt"] * 4 == [one.headers["preference-applied"] for one in answers]
    receipts = [one.json()["receipt"] for one in answers]
    for other in ('foo="receipt"', "receipts", "wait=1"):
        plain = system.http.post("/add", json=sent[1][1], headers={"Prefer": other})
        assert (False, False) == ("receipt" in plain.json(), "preference-applied" in plain.headers)
    wait_until(lambda: system.http.get(f"/receipts/{plain.json()['decision_id']}").is_success, 20, "the record")
    receipts.append(
        json.loads(vestibule("receipt", "get", plain.json()["decision_id"], *of, "--json").stdout)["receipt"]
    )
    unknown = system.http.get(f"/receipts/{answers[0].json()['decision_id']}")
    assert (404, True) == (unknown.status_code, "keep_clean" in unknown.json()["detail"])
    key = tmp_path / "key.json"
    key.write_text(vestibule("receipt", "key", "--url", system.url).stdout)
    claims = [json.loads(vestibule("receipt", "verify", one, "--key", str(key), "--json").stdout) for one in receipts]
    assert ["let_in", "blocked", "let_in", "let_in", "blocked"] == [claim["outcome"] for claim in claims]
    assert {"EMAIL_ADDRESS": "block"} == claims[1]["actions"]
    assert 0 == vestibule("receipt", "verify", receipts[0], "--url", system.url).returncode
    changed = vestibule("receipt", "verify", receipts[1][:-8] + "AAAAAAAA", "--key", str(key))
    assert (1, True) == (changed.returncode, "the receipt is invalid" in changed.stderr)


def test_a_broken_policy_is_refused_at_the_start(tmp_path):
    """Line and reason are printed, and nothing is started."""
    (tmp_path / "policy.toml").write_text('default = "block"\nrules = "none"')
    refused = vestibule("up", "--data-dir", str(tmp_path), "--base-port", str(free_row(5).start))
    assert 78 == refused.returncode
    assert "policy.toml, line 2: `rules`" in refused.stderr
