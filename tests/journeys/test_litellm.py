"""A gateway asks before and after each call of a language model, in the wire format of LiteLLM's generic guardrail.

The members and headers are those that litellm 1.110.2 sends.
"""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from vestibule.service_kit.auth.token_file import create_token

PATH = "/beta/litellm_basic_guardrail_api"
MAIL, CARD = "jane.roe.4711@example.org", "4111 1111 1111 1111"
POLICY = """
[entities]
EMAIL_ADDRESS = "redact"
PHONE_NUMBER  = "alert"
IBAN_CODE     = "tokenize"

NL_BSN = "number"
US_SSN = "fake"

[guardrail]
reveal = ["gateway"]

[[rules]]
routes   = ["/beta/litellm_basic_guardrail_api"]
fields   = ["response"]
entities = ["EMAIL_ADDRESS"]
action   = "mask"
"""
# Nothing of it is looked at, stored or logged.
ABOUT_CALLER = {
    "user_api_key_hash": "0f7a2c7d",
    "user_api_key_alias": "alias-of-a-person-4711",
    "user_api_key_user_email": "caller.of.the.gateway@example.org",
}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def gateway(start_for_module, tmp_path_factory):
    """A system with a policy for calls of models."""
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text(POLICY)
    return start_for_module(VESTIBULE_POLICY_FILE=str(file)).ask_again()


@pytest.fixture(scope="module")
def token(gateway) -> str:
    """A token that may do nothing else."""
    return create_token(gateway.data_dir / "keys" / "tokens.json", "gateway", ["guardrail"], None, "default")[0]


@pytest.fixture
def ask(gateway, token, wait_until) -> Ask:
    """Sends what the client sends, and returns what it reads."""

    def send(input_type: str, texts: list[str] | None, call_id: str | None = None, **members: Any) -> dict[str, Any]:
        answer = gateway.http.post(PATH, json=body_of(input_type, texts, call_id, **members), headers=headers)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    headers = {"x-api-key": token, "user-agent": "litellm/1.110.2", "authorization": ""}
    body = body_of("request", [])
    wait_until(lambda: gateway.http.post(PATH, json=body, headers=headers).status_code == 200, what="the token")
    return send


def body_of(input_type: str, texts: list[str] | None, call_id: str | None = None, **members: Any) -> dict[str, Any]:
    """Return the body as its client makes it: every member, those without a value as null."""
    return {
        "input_type": input_type,
        "litellm_call_id": call_id or str(uuid4()),
        "litellm_trace_id": None,
        "structured_messages": None,
        "images": None,
        "tools": None,
        "texts": texts,
        "request_data": ABOUT_CALLER,
        "request_headers": {"user-agent": "x", "authorization": "[present]"},
        "litellm_version": "1.110.2",
        "additional_provider_specific_params": {},
        "tool_calls": None,
        "model": "gpt-4",
        **members,
    }


def test_the_policy_decides_what_the_gateway_does(ask):
    """As many texts in the same order; a reason that repeats nothing; and nothing to do where there is nothing."""
    assert {"action": "NONE"} == ask("request", ["hello", ""])
    assert {"action": "NONE"} == ask("request", None)
    assert {"action": "NONE"} == ask("request", ["call +49 30 901820"])
    changed = ask("request", ["hello", f"write to {MAIL}", "DE89370400440532013000"])
    assert ("GUARDRAIL_INTERVENED", 3) == (changed["action"], len(changed["texts"]))
    assert ["hello", "write to <EMAIL_ADDRESS>"] == changed["texts"][:2]
    assert changed["texts"][2].startswith("<IBAN_CODE.v1.")
    blocked = ask("request", ["hello", f"card {CARD}"])
    assert {"action", "blocked_reason"} == blocked.keys()
    assert "BLOCKED" == blocked["action"]
    assert "The policy blocks CREDIT_CARD (alert " in blocked["blocked_reason"]


def test_rules_can_tell_what_goes_out_from_what_comes_back(ask):
    """By the fields `request` and `response`; a stream keeps back the end of an answer, which may become a finding."""
    answer = ask("response", [f"it is {MAIL}", "x" * 500])
    assert "GUARDRAIL_INTERVENED" == answer["action"]
    assert [f"it is {'*' * (len(MAIL) - 4)}.org", "x" * 500] == answer["texts"]
    assert [len(answer["texts"][0]), 128] == answer["stream_holdback_chars"]


def test_what_the_reply_has_no_place_for_is_blocked(ask):
    """Definitions of tools come back changed; tool calls and other members of messages pass as they are, or not."""
    tool = {"type": "function", "function": {"name": "send", "description": f"asks {MAIL}", "parameters": {}}}
    changed = ask("request", ["hello"], tools=[tool])
    assert "GUARDRAIL_INTERVENED" == changed["action"]
    assert ["hello"] == changed["texts"]
    assert "asks <EMAIL_ADDRESS>" == changed["tools"][0]["function"]["description"]
    call = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": json.dumps({"to": MAIL})}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    for members in ({"tool_calls": [call]}, {"structured_messages": [message]}):
        blocked = ask("request", ["hello"], **members)
        assert "BLOCKED" == blocked["action"]
        assert "EMAIL_ADDRESS" in blocked["blocked_reason"]


def test_images_are_said_to_pass_unread(ask, gateway):
    """In each reply, and in one alert for the token."""
    image = "data:image/png;base64,iVBORw0KGgo="
    for _ in range(3):
        assert {"action": "NONE", "images_not_read": 1} == ask("request", ["hello"], images=[image])
    found = gateway.http.get("/alerts", params={"type": "InvalidInput", "q": "cannot be screened"}).json()["alerts"]
    assert 1 == len(found)


def test_a_call_is_one_timeline_and_one_group_of_alerts(ask, gateway, wait_until):
    """The id of the call is that of both requests; alerts of one type about it share a group, whatever was found."""
    call_id = str(uuid4())
    # What another token sent has a group of its own; the second value of the call would join it.
    gateway.http.post(PATH, json=body_of("request", ["write to john.doe.0815@example.org"]))
    ask("request", [f"write to {MAIL}"], call_id)
    ask("response", ["john.doe.0815@example.org, +49 30 901821"], call_id)

    def events(kind: str) -> list[dict[str, Any]]:
        return [one for one in gateway.http.get(f"/trace/{call_id}").json().get("events", []) if one["kind"] == kind]

    def grouped() -> list[dict[str, Any]]:
        found = events("alert")
        return found if len(found) == 2 and all(one.get("group_id") for one in found) else []

    alerts = wait_until(grouped, what="two alerts in groups")
    assert 1 == len({one["group_id"] for one in alerts})
    wait_until(lambda: len(events("decision")) == 2, what="both decisions in the store")


def test_a_conversation_makes_a_round_trip(ask, gateway):
    """Numbers and fakes go to the model, the values come back; what it makes up by itself does not."""
    call_id = str(uuid4())
    ssn, bsn = "536-90-4399", "111222333"
    sent = ask("request", [f"my ssn is {ssn}", f"burgerservicenummer {bsn}", f"again: {ssn}"], call_id)
    fake = sent["texts"][0].removeprefix("my ssn is ")
    assert (sent["texts"][1], f"again: {fake}") == ("burgerservicenummer <NL_BSN_1>", sent["texts"][2])
    assert ssn != fake
    assert [3, 2, 4] == [len(part) for part in fake.split("-")]
    # The history of a chat comes again, with what the model said of the stand-ins.
    again = ask("request", [f"my ssn is {ssn}", f"you said {fake} and <NL_BSN_1>"], call_id)
    assert [f"my ssn is {fake}", f"you said {fake} and <NL_BSN_1>"] == again["texts"]

    said = [f"It is {fake}.", '{"bsn": "<NL_BSN_1>"}', "Another: burgerservicenummer 123456782"]
    rounds = [ask("response", said, call_id) for _ in range(2)]
    assert rounds[0] == rounds[1]
    assert [f"It is {ssn}.", f'{{"bsn": "{bsn}"}}', "Another: burgerservicenummer <NL_BSN_2>"] == rounds[0]["texts"]
    found = gateway.http.get("/alerts", params={"type": "Reveal", "q": call_id}).json()["alerts"]
    assert ["2 values are given back"] == [one["description"][:23] for one in found]
    # What comes from another conversation stays, and is no value of this one.
    mixed = ask("request", ["<NL_BSN_1>, burgerservicenummer 123456782"])
    assert ["<NL_BSN_1>, burgerservicenummer <NL_BSN_2>"] == mixed["texts"]
    # To another call, and to another caller of the gateway, they stand for nothing.
    for other, members in ((str(uuid4()), {}), (call_id, {"request_data": {"user_api_key_hash": "other"}})):
        assert "NONE" == ask("response", ["It is <NL_BSN_1>."], other, **members)["action"]
    assert bsn.encode() not in gateway.everything_written()


def test_texts_are_revealed_together_under_one_alert(ask, gateway):
    """Stand-ins of a conversation and tokens; a token of the gateway may not, and without a reason nobody."""
    call_id, iban = str(uuid4()), "DE89370400440532013000"
    sent = ask("request", ["burgerservicenummer 111222333", iban], call_id)["texts"]
    body = {
        "texts": [*sent, "<NL_BSN_7>", "nothing"],
        "conversation_id": call_id,
        "caller": ABOUT_CALLER["user_api_key_hash"],
        "reason": "ticket 42: the answer",
    }
    answer = gateway.http.post("/reveal", json=body).json()
    assert ["burgerservicenummer 111222333", iban, "<NL_BSN_7>", "nothing"] == answer["texts"]
    assert 2 == answer["revealed"]
    alert = gateway.http.get(f"/alerts/{answer['alert_id']}").json()
    assert "Reveal of 2 values in 4 texts; reason given: ticket 42" in alert["description"]
    without = gateway.http.post("/reveal", json={"texts": sent, "reason": "ticket 42"}).json()
    assert ([sent[0], iban], 1) == (without["texts"], without["revealed"])
    refused = (
        {**body, "reason": ""},
        {**body, "token": sent[1]},
        {"token": sent[1], "conversation_id": call_id, "reason": "ticket 42"},
        {**body, "texts": []},
    )
    assert {422} == {gateway.http.post("/reveal", json=one).status_code for one in refused}


def test_no_text_and_nothing_about_the_caller_is_written(ask, gateway):
    """Neither to logs nor to reports nor to standard output."""
    ask("request", [f"write to {MAIL}, {CARD}", "the word xylophone-4711"])
    written = gateway.everything_written()
    for text in (MAIL, CARD, "xylophone-4711", *ABOUT_CALLER.values()):
        assert text.encode() not in written


def test_tokens_and_mistakes(gateway, token, ask):
    """A bearer token or `x-api-key`, with the scope; a body that is none is refused, and a deep one blocked."""
    assert "NONE" == ask("request", ["hello"])["action"]
    body = body_of("request", ["hello"])
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        assert 200 == http.post(PATH, json=body, headers={"Authorization": f"Bearer {token}"}).status_code
        assert 401 == http.post(PATH, json=body).status_code
        assert 403 == http.post("/scan", json={"text": "a"}, headers={"Authorization": f"Bearer {token}"}).status_code
        http.headers["x-api-key"] = token
        assert 422 == http.post(PATH, json={"texts": ["hello"]}).status_code
        assert 422 == http.post(PATH, json={**body, "input_type": "both"}).status_code
    deep: Any = "text"
    for _ in range(100):
        deep = {"a": deep}
    assert "BLOCKED" == ask("request", ["hello"], tools=[deep])["action"]
