"""Callers that go on asking a system for work whatever happens to it, and what has to be true of it afterwards."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

ENDS = ("succeeded", "failed", "dead", "cancelled")
SETTLED_WITHIN_S = 120
# The contract says two seconds; the machine that the tests run on may be busy.
ANSWERED_WITHIN_S = 10
GIVEN_UP_AFTER_S = 40


@dataclass
class Load:
    """What was accepted, what was answered, and what became of requests that got no answer."""

    url: str
    pause_s: float = 0.0
    accepted: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    # What accepted tasks shall have written, by key.
    effects: dict[str, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    not_connected: int = 0
    cut_off: int = 0
    slowest_s: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)

    def call(self, caller: int) -> None:
        """Send messages, or entries, one after the other."""
        headers = {"Authorization": "Bearer SECRET_TOKEN"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=GIVEN_UP_AFTER_S, trust_env=False) as http:
            number = 0
            while not self.is_over.is_set():
                number += 1
                began = time.monotonic()
                try:
                    has_succeeded = self._write(http, number) if caller == 0 else self._send(http, caller, number)
                except httpx.ConnectError:
                    self.not_connected += 1
                    has_succeeded = False
                except httpx.TransportError:
                    self.cut_off += 1
                    has_succeeded = False
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                time.sleep(self.pause_s if has_succeeded else 0.05)

    def _send(self, http: httpx.Client, caller: int, number: int) -> bool:
        text = f"load from c{caller} number n{number} at {time.monotonic()}"
        key = f"effect-{id(self)}-c{caller}-n{number}"
        answer = http.post("/messages", json={"text": text, "write_to": key})
        self.answers[answer.status_code] += 1
        if answer.status_code == 202:
            self.effects[key] = self.accepted[answer.json()["task_id"]] = text.upper()
        return answer.status_code == 202

    def _write(self, http: httpx.Client, number: int) -> bool:
        key = f"load-{id(self)}-n{number}"
        answer = http.post("/add", json={"key": key, "value": f"value of {key}"})
        self.answers[answer.status_code] += 1
        if answer.status_code == 200:
            self.written[key] = f"value of {key}"
        return answer.status_code == 200


@contextmanager
def load_on(url: str, callers: int = 5, pause_s: float = 0.0) -> Iterator[Load]:
    """Have callers at work meanwhile: one writes entries, the others send messages."""
    load = Load(url, pause_s)
    threads = [threading.Thread(target=load.call, args=(caller,), daemon=True) for caller in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.is_over.set()
        for thread in threads:
            thread.join(GIVEN_UP_AFTER_S + 5)


def expect_all_kept(load: Load, http: httpx.Client, wait_until: Callable[..., Any]) -> Counter[str]:
    """Return how the accepted tasks ended, each with its own result; what was written is there, and nothing hung."""
    ended: dict[str, Any] = {}

    def have_all_ended() -> bool:
        for task_id in load.accepted.keys() - ended.keys():
            try:
                status = http.get(f"/tasks/{task_id}").json()
            except httpx.TransportError:
                return False
            if status.get("state") in ENDS:
                ended[task_id] = status
        return len(ended) == len(load.accepted)

    wait_until(have_all_ended, SETTLED_WITHIN_S, "the end of every task")
    assert load.accepted == {task_id: status.get("result") for task_id, status in ended.items()}
    for key, value in load.written.items():
        assert value == http.get("/read", params={"key": key}).json()["value"]
    for key, result in load.effects.items():
        # A version of 2 would be an effect that came twice.
        entry = http.get("/read", params={"key": key}).json()
        assert (result, 1) == (entry.get("value"), entry.get("version")), key
    assert set() == set(load.answers) - {200, 202, 503}
    assert load.slowest_s < ANSWERED_WITHIN_S
    return Counter(status["state"] for status in ended.values())
