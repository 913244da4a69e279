"""Callers are told of the ends of their tasks: signed, again until it is taken, over kill -9, and nowhere else."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SECRET = "a-secret-of-the-tests-alone"
MARK = "marmalade-skies-above"


@dataclass
class Receiver:
    """Takes callbacks, or refuses them with the status that it is told to answer."""

    url: str = ""
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def of(self, task_id: str) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got if json.loads(body)["task_id"] == task_id]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A server of the test's own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


# It starts a system and kills parts of it.
@pytest.mark.timeout(300)
def test_callers_are_told_of_the_end(start: Any, hook: Receiver, wait_until: Callable[..., Any]) -> None:
    """A signed post without the result; refused ones come again under the same key; what cannot be sent is refused."""
    system = start(
        VESTIBULE_CALLBACK_SECRET=SECRET,
        VESTIBULE_ALERT_OUTGOING_SCHEMES='["http"]',
        VESTIBULE_ALERT_OUTGOING_PRIVATE="true",
    )
    sent = {"text": f"first {MARK}", "callback": hook.url}
    first = system.http.post("/messages", json=sent).json()["task_id"]
    wait_until(lambda: hook.of(first), 30, "the callback")
    headers, body = hook.got[0]
    key = system.http.get("/callbacks/key").json()["key"]
    signed = headers["x-vestibule-timestamp"].encode() + b"." + body
    assert f"sha256={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" == headers["x-vestibule-signature"]
    told = json.loads(body)
    assert ("succeeded", f"/tasks/{first}", first) == (told["state"], told["status_url"], headers["idempotency-key"])
    assert "result" not in told
    assert MARK.upper().encode() not in body.upper()

    hook.status = 503
    system.add("told", f"second {MARK}")
    second = system.http.post("/run", json={"key": "told", "callback": hook.url}).json()["task_id"]
    wait_until(lambda: hook.of(second), 30, "the refused callback")
    system.processes("vestibule serve client")[0].kill()
    wait_until(lambda: len(hook.of(second)) >= 2, 60, "the second attempt, by the next process")
    hook.status = 200
    wait_until(lambda: system.log_lines(event="callback_delivered", task_id=second), 60, "the accepted callback")
    assert {second} == {headers["idempotency-key"] for headers, body in hook.got if second.encode() in body}
    assert 1 == len(hook.of(first))

    for wrong in (
        "https://127.0.0.1/",
        "http://user:word@127.0.0.1/",
        "nowhere",
        "http://127.0.0.1:port/",
        "http:///x",
    ):
        refused = system.http.post("/messages", json={"text": "text", "callback": wrong})
        assert 422 == refused.status_code, wrong
        assert wrong not in refused.text
    leak = system.http.post("/messages", json={"text": "text", "callback": hook.url + "?to=jane.roe.4711@example.org"})
    assert (422, "callback") == (leak.status_code, leak.json()["findings"][0]["field"])
    sync = system.http.post("/messages", json={"text": "text", "mode": "sync", "callback": hook.url})
    assert 422 == sync.status_code
    written = system.everything_written()
    assert all(text not in written for text in (MARK.encode(), b"jane.roe.4711", hook.url.encode(), SECRET.encode()))


def test_without_a_secret_there_are_no_callbacks(system: Any, hook: Receiver) -> None:
    """Where no key is set, and where an address is not allowed, it is said at once."""
    refused = system.http.post("/messages", json={"text": "text", "callback": hook.url})
    assert (422, True) == (refused.status_code, "VESTIBULE_CALLBACK_SECRET" in refused.text)
    assert 404 == system.http.get("/callbacks/key").status_code
