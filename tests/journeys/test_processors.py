"""Processors as callers see them: options, results that are checked and written back, routes, and one's own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers.receivers import Answer, HttpReceiver, Posted, running

MAIL = "leonore.wintergarten@firma.de"
SECRET_WORD = "kaleidoskop-der-zeugen"
OWN = """
class Reverse:
    name = "reverse"
    description = "Turns the text around."
    examples = (("abc", "cba"),)

    def process(self, data):
        return data[::-1]

PROCESSOR = Reverse()
"""
POLICY = """
[[rules]]
key_prefixes = ["raw/"]
entities = ["EMAIL_ADDRESS"]
action = "alert"
"""
ROUTES = '[{"to": "queue", "mode": "async"}, {"to": "business_logic", "prefixes": ["now:"]}]'


class _Receiver(HttpReceiver):
    """Takes what is forwarded; `/flaky` is away the first time, `/refuse` says no, `/leak` answers with an address."""

    def __init__(self) -> None:
        super().__init__("localhost", self._judge)

    def _judge(self, posted: Posted) -> Answer:
        is_first = not self.keys(posted.path)
        status = {"/flaky": 503 if is_first else 200, "/refuse": 400}.get(posted.path, 200)
        return Answer(status, f"ask {MAIL}".encode() if posted.path == "/leak" else b"taken: " + posted.body)

    def keys(self, path: str) -> list[str | None]:
        return [posted.headers.get("idempotency-key") for posted in self.posted if posted.path == path]


@pytest.fixture(scope="module")
def receiver() -> Iterator[_Receiver]:
    """A receiver on this machine."""
    with running(_Receiver()) as server:
        yield server


@pytest.fixture(scope="module")
def house(start_for_module: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A system with a processor of one's own, a policy, routes, and a host that data may be forwarded to."""
    place = tmp_path_factory.mktemp("house")
    (place / "own").mkdir()
    (place / "own" / "reverse.py").write_text(OWN)
    (place / "policy.toml").write_text(POLICY)
    return start_for_module(
        VESTIBULE_PROCESSORS_DIR=str(place / "own"),
        VESTIBULE_POLICY_FILE=str(place / "policy.toml"),
        VESTIBULE_MESSAGE_ROUTES=ROUTES,
        VESTIBULE_FORWARD_HOSTS='["localhost"]',
        VESTIBULE_FORWARD_SCHEMES='["http"]',
        VESTIBULE_FORWARD_PRIVATE="true",
    ).ask_again()


def _run(house: Any, key: str, processor: str, options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Have a value processed and return how that ended."""
    work = {"key": key, "processor": processor, "options": options or {}, **more}
    accepted = house.http.post("/run", json=work)
    assert 202 == accepted.status_code, accepted.text
    status: dict[str, Any] = house.http.get(accepted.json()["status_url"], params={"wait": 30}).json()
    return status


def _read(house: Any, key: str) -> tuple[str, int] | None:
    answer = house.http.get("/read", params={"key": key})
    return (answer.json()["value"], answer.json()["version"]) if answer.status_code == 200 else None


def test_options_reach_the_processor_and_the_result_its_key(house: Any) -> None:
    """When a task has succeeded, its result stands under the key, written once and in the caller's name."""
    house.add("order", '{"lines": [{"sku": "A-1"}]}')
    steps = [{"processor": "json_pointer", "options": {"pointer": "/lines/0/sku"}}, {"processor": "reverse"}]
    ended = _run(house, "order", "chain", {"steps": steps}, write_to="sku")
    assert ("succeeded", "1-A", ("1-A", 1)) == (ended["state"], ended.get("result"), _read(house, "sku"))
    (revision,) = house.http.get("/history", params={"key": "sku"}).json()["revisions"]
    assert "development" == revision["by"]
    typed = ["run", "order", "--processor", "json_pointer", "--option", "pointer=/lines/0/sku", "--write-to", "sku2"]
    command = [sys.executable, "-m", "vestibule", *typed, "--wait", "30", "--url", house.url]
    assert "A-1\n" == subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert ("A-1", 1) == _read(house, "sku2")
    wrong = _run(house, "order", "json_pointer", {"pointer": "/lines/7"}, write_to="sku")
    assert ("failed", "PointerLeadsNowhere", ("1-A", 1)) == (
        wrong["state"],
        wrong["error"]["kind"],
        _read(house, "sku"),
    )
    listed = {one["name"]: one for one in house.http.get("/processors").json()["processors"]}
    assert ({"data": "abc", "result": "cba", "options": {}}, None) == (
        listed["reverse"]["examples"][0],
        listed["reverse"]["options"],
    )
    assert "pointer" in listed["json_pointer"]["options"]["properties"]


def test_what_is_forwarded_is_tried_again_under_one_key(house: Any, receiver: _Receiver) -> None:
    """A receiver that was away gets it later, with the task's id both times, and the key is written once."""
    house.add("parcel", "for you")
    ended = _run(house, "parcel", "http_forward", {"url": receiver.url("/flaky")}, write_to="parcel/answer")
    assert ("succeeded", "taken: for you") == (ended["state"], ended["result"])
    assert [ended["task_id"]] * 2 == receiver.keys("/flaky")
    assert ("taken: for you", 1) == _read(house, "parcel/answer")
    refused = _run(house, "parcel", "http_forward", {"url": receiver.url("/refuse")})
    assert ("failed", "ForwardRefused", 1) == (
        refused["state"],
        refused["error"]["kind"],
        len(receiver.keys("/refuse")),
    )


def test_a_result_that_the_policy_blocks_is_nowhere(
    house: Any, receiver: _Receiver, wait_until: Callable[..., Any]
) -> None:
    """The task has failed, the alert is there when that is known, and the value is in no answer, key, log or report."""
    house.add("question", "who is it")
    ended = _run(house, "question", "http_forward", {"url": receiver.url("/leak")}, write_to="who")
    assert ("failed", "ResultRefused", None) == (ended["state"], ended["error"]["kind"], _read(house, "who"))
    described = [alert["description"] for alert in house.http.get("/alerts").json()["alerts"]]
    assert "EMAIL_ADDRESS in the result of a request; the result was rejected." in described
    reply = {"text": "x", "mode": "sync", "processor": "http_forward", "options": {"url": receiver.url("/leak")}}
    refused = house.http.post("/messages", json=reply)
    assert (422, "/problems/result-refused") == (refused.status_code, refused.json()["type"]), refused.text
    assert "result" == refused.json()["findings"][0]["field"]
    assert MAIL.encode() not in house.everything_written() + refused.content

    def is_counted() -> bool:
        shown = httpx.get(f"{house.part_url(3)}/metrics", trust_env=False, timeout=40).text
        return 'vestibule_findings_total{action="block",entity="EMAIL_ADDRESS",service="worker' in shown

    wait_until(is_counted, 60, "the finding in the metrics of a worker")


def test_the_policy_of_the_key_holds_for_the_result(house: Any) -> None:
    """What a key may hold, a result for it may; a redacted copy may go anywhere."""
    assert 200 == house.add("raw/1", f"ask {MAIL}").status_code
    ended = [
        _run(house, "raw/1", "normalize"),
        _run(house, "raw/1", "normalize", write_to="raw/2"),
        _run(house, "raw/1", "normalize", write_to="clean"),
        _run(house, "raw/1", "redact", write_to="clean"),
        _run(house, "raw/1", "summarize_entities"),
    ]
    told = [one.get("result") or one["error"]["kind"] for one in ended]
    same = f"ask {MAIL}"
    assert [same, same, "ResultRefused", "ask <EMAIL_ADDRESS>", '{"EMAIL_ADDRESS": 1}'] == told
    assert [("ask <EMAIL_ADDRESS>", 1), (same, 1)] == [_read(house, "clean"), _read(house, "raw/2")]


@pytest.mark.parametrize(
    ("work", "kind", "where"),
    [
        ({"processor": "json_pointer", "options": {"pointer": SECRET_WORD}}, "invalid-input", "body/options/pointer"),
        ({"processor": "json_pointer", "options": {SECRET_WORD: 1}}, "invalid-input", "body/options/pointer"),
        ({"processor": "uppercase", "options": {"x": SECRET_WORD}}, "invalid-input", "body/options"),
        ({"processor": "json_pointer", "options": {"pointer": f"/{MAIL}"}}, "personal-data", "options"),
        ({"processor": "uppercase", "write_to": MAIL}, "personal-data", "key"),
        ({"processor": "uppercase", "write_to": ""}, "invalid-input", "body/write_to"),
        ({"processor": "uppercase", "options": []}, "invalid-input", "body/options"),
        ({"processor": "redact", "options": {"entities": ["x" * 20_000]}}, "invalid-input", "body/options"),
    ],
)
def test_options_are_refused_at_the_door(house: Any, work: dict[str, Any], kind: str, where: str) -> None:
    """By name and never by value, on both routes, and nothing is accepted."""
    house.add("order2", "{}")
    for path, given in (("/run", {"key": "order2"}), ("/messages", {"text": "{}"})):
        answer = house.http.post(path, json={**work, **given})
        body = answer.json()
        places = [one["where"] for one in body.get("errors", ())] + [one["field"] for one in body.get("findings", ())]
        assert (422, f"/problems/{kind}") == (answer.status_code, body["type"])
        assert where in places
        assert MAIL not in answer.text
        assert SECRET_WORD not in answer.text


def test_nothing_of_options_is_written_anywhere(house: Any) -> None:
    """Neither log nor report has a word of those that were refused, nor of those that were taken."""
    house.add("order3", f'{{"{SECRET_WORD}": 1}}')
    assert "1" == _run(house, "order3", "json_pointer", {"pointer": f"/{SECRET_WORD}"})["result"]
    written = house.everything_written()
    assert (False, False) == (SECRET_WORD.encode() in written, MAIL.encode() in written)


def test_the_routes_of_the_settings_say_what_is_answered_at_once(house: Any) -> None:
    """By prefix, but not where the caller or the time says otherwise; a reply is written to its key as well."""
    sent = [
        {"text": "now: hi"},
        {"text": "later: hi"},
        {"text": "now: hi", "mode": "async"},
        {"text": "now: hi", "delay_s": 60},
        {"text": "later: hi", "mode": "sync", "write_to": "reply"},
    ]
    answers = [house.http.post("/messages", json=message) for message in sent]
    told = [(answer.status_code, answer.json().get("reply")) for answer in answers]
    assert [(200, "NOW: HI"), (202, None), (202, None), (202, None), (200, "LATER: HI")] == told
    assert ("LATER: HI", 1) == _read(house, "reply")


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("VESTIBULE_PROCESSORS_DIR", "own", "mine.py defines neither PROCESSOR nor PROCESSORS"),
        ("VESTIBULE_MESSAGE_ROUTES", '[{"to": "queue", "processors": ["upcase"]}]', "no processor upcase"),
        ("VESTIBULE_MESSAGE_ROUTES", '[{"to": "somewhere"}]', "message_routes"),
    ],
)
def test_what_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, free_port: int, variable: str, value: str, reason: str
) -> None:
    """Before anything runs, with the place and the reason."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text("nothing = 1")
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", "var", "--base-port", str(free_port)]
    ended = subprocess.run(
        command, cwd=tmp_path, env={variable: value}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (78, True) == (ended.returncode, reason in ended.stderr), ended.stderr
