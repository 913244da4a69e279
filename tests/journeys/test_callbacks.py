"""Callers are told of the ends of their tasks: signed, again until it is taken, over kill -9, and nowhere else."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from servers.receivers import Answer, HttpReceiver, running

SECRET = "a-secret-of-the-tests-alone"
MARK = "marmalade-skies-above"


class Receiver(HttpReceiver):
    """Takes callbacks, or refuses them with the status that it is told to answer."""

    def __init__(self) -> None:
        super().__init__(answer=lambda _: Answer(self.status, b""))
        self.status = 204

    def of(self, task_id: str) -> list[dict[str, Any]]:
        return [posted.json for posted in self.posted if posted.json["task_id"] == task_id]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A server of the test's own."""
    with running(Receiver()) as receiver:
        yield receiver


# It starts a system and kills parts of it.
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_callers_are_told_of_the_end(start: Any, hook: Receiver, wait_until: Callable[..., Any]) -> None:
    """A signed post without the result; refused ones come again under the same key; what cannot be sent is refused."""
    system = start(
        VESTIBULE_CALLBACK_SECRET=SECRET,
        VESTIBULE_CALLBACK_ORIGINS=json.dumps([hook.url("").rstrip("/")]),
    )
    sent = {"text": f"first {MARK}", "callback": hook.url("/hook")}
    first = system.http.post("/messages", json=sent).json()["task_id"]
    wait_until(lambda: hook.of(first), 30, "the callback")
    _, headers, body = hook.posted[0]
    key = system.http.get("/callbacks/key").json()["key"]
    signed = headers["x-vestibule-timestamp"].encode() + b"." + body
    assert f"sha256={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" == headers["x-vestibule-signature"]
    told = json.loads(body)
    assert ("succeeded", f"/tasks/{first}", first) == (told["state"], told["status_url"], headers["idempotency-key"])
    assert "result" not in told
    assert MARK.upper().encode() not in body.upper()

    hook.status = 503
    system.add("told", f"second {MARK}")
    second = system.http.post("/run", json={"key": "told", "callback": hook.url("/hook")}).json()["task_id"]
    wait_until(lambda: hook.of(second), 30, "the refused callback")
    system.processes("vestibule serve client")[0].kill()
    wait_until(lambda: len(hook.of(second)) >= 2, 60, "the second attempt, by the next process")
    hook.status = 200
    wait_until(lambda: system.log_lines(event="callback_delivered", task_id=second), 60, "the accepted callback")
    assert {second} == {posted.headers["idempotency-key"] for posted in hook.posted if second in posted.text}
    assert 1 == len(hook.of(first))

    for wrong in (
        "https://127.0.0.1/",
        "http://user:word@127.0.0.1/",
        "nowhere",
        "http://127.0.0.1:9/",
        "http://127.0.0.1:port/",
        "http:///x",
    ):
        refused = system.http.post("/messages", json={"text": "text", "callback": wrong})
        assert 422 == refused.status_code, wrong
        assert wrong not in refused.text
    leak = system.http.post(
        "/messages", json={"text": "text", "callback": hook.url("/hook") + "?to=jane.roe.4711@example.org"}
    )
    assert (422, "callback") == (leak.status_code, leak.json()["findings"][0]["field"])
    sync = system.http.post("/messages", json={"text": "text", "mode": "sync", "callback": hook.url("/hook")})
    assert 422 == sync.status_code
    written = system.everything_written()
    assert all(
        text not in written for text in (MARK.encode(), b"jane.roe.4711", hook.url("/hook").encode(), SECRET.encode())
    )


def test_without_a_secret_there_are_no_callbacks(system: Any, hook: Receiver) -> None:
    """Where no key is set, and where an address is not allowed, it is said at once."""
    refused = system.http.post("/messages", json={"text": "text", "callback": hook.url("/hook")})
    assert (422, True) == (refused.status_code, "VESTIBULE_CALLBACK_SECRET" in refused.text)
    assert 404 == system.http.get("/callbacks/key").status_code
