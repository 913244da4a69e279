"""Callers that write and send meanwhile, and what has to become of what they were told was accepted."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from containers.deployed import Deployed

CALLERS = 4
ANSWERED_WITHIN_S = 40
REPEATED_FOR_S = 60.0
SETTLED_WITHIN_S = 180
# What a proxy or a service says of a part that is away for the moment.
MAY_BE_REPEATED = (502, 503, 504)
Until = Callable[..., object]


@dataclass
class Load:
    """Pairs and messages by turns, each under an `Idempotency-Key`, repeated until there is an answer that counts."""

    deployed: Deployed
    written: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    repeats: Counter[int | str] = field(default_factory=Counter)
    given_up: Counter[int] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)
    # Of this load alone: systems are shared, and its versions are counted.
    name: str = field(default_factory=lambda: uuid4().hex)

    @property
    def count(self) -> int:
        return len(self.written) + len(self.accepted)

    def send(self, caller: int) -> None:
        with httpx.Client(
            base_url=self.deployed.url,
            headers=self.deployed.http.headers,
            timeout=ANSWERED_WITHIN_S,
            trust_env=False,
        ) as http:
            number = 0
            while not self.is_over.is_set():
                number += 1
                text = f"load from c{caller} number n{number}"
                key = f"load-{self.name}-{caller}-{number}"
                if (wrote := self._answer(http, "/add", {"key": key, "value": text})) is not None:
                    self.written[str(wrote["key"])] = text
                if (sent := self._answer(http, "/messages", {"text": text})) is not None:
                    self.accepted[str(sent["task_id"])] = text.upper()

    def _answer(self, http: httpx.Client, path: str, body: dict[str, str]) -> dict[str, object] | None:
        headers = {"Idempotency-Key": str(uuid4())}
        until = time.monotonic() + REPEATED_FOR_S
        while True:
            try:
                answer = http.post(path, json=body, headers=headers)
            except httpx.TransportError as error:
                self.repeats[type(error).__name__] += 1
            else:
                if answer.is_success:
                    return dict(answer.json())
                if answer.status_code not in MAY_BE_REPEATED or time.monotonic() > until:
                    self.given_up[answer.status_code] += 1
                    return None
                self.repeats[answer.status_code] += 1
            time.sleep(0.1)


@contextmanager
def load_on(deployed: Deployed) -> Iterator[Load]:
    """Send meanwhile."""
    load = Load(deployed)
    threads = [threading.Thread(target=load.send, args=(caller,), daemon=True) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.is_over.set()
        for thread in threads:
            thread.join(REPEATED_FOR_S + ANSWERED_WITHIN_S)


def until_more(load: Load, more: int, wait_until: Until) -> None:
    """Wait until so many more requests were answered well."""
    count = load.count + more
    wait_until(lambda: load.count >= count, SETTLED_WITHIN_S, f"{count} answers")


def expect_nothing_lost(load: Load, wait_until: Until) -> None:
    """Every pair is there, written as often as it was sent at most; every task succeeds with its own result."""
    http = load.deployed.http
    ended: dict[str, object] = {}

    def have_all_ended() -> bool:
        for task_id in load.accepted.keys() - ended.keys():
            task = http.get(f"/tasks/{task_id}").json()
            if task.get("state") in ("succeeded", "failed", "dead", "cancelled"):
                ended[task_id] = task.get("result")
        return len(ended) == len(load.accepted)

    assert load.written
    assert load.accepted
    wait_until(have_all_ended, SETTLED_WITHIN_S, "the end of every task")
    assert load.accepted == ended
    kept = {key: http.get("/read", params={"key": key}).json() for key in load.written}
    assert load.written == {key: entry.get("value") for key, entry in kept.items()}
    # A request that was answered 503 may have been written all the same, and was written again when it was repeated.
    assert sum(entry["version"] - 1 for entry in kept.values()) <= sum(load.repeats.values())
