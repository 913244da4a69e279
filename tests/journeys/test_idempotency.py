"""Requests that are repeated under one `Idempotency-Key`: one effect, one reply."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

REQUESTS = [
    ("/add", {"key": "repeated", "value": "text"}),
    ("/run", {"key": "repeated"}),
    ("/messages", {"text": "hello there"}),
    ("/messages", {"text": "hello there", "mode": "sync"}),
]


def post(system: Any, path: str, body: dict[str, Any], key: str) -> Any:
    return system.http.post(path, json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(("path", "body"), REQUESTS, ids=["add", "run", "message", "sync"])
def test_a_repeated_request_gets_the_first_answer(system: Any, path: str, body: dict[str, Any]) -> None:
    """Same key and same request: the same reply, byte for byte, and no second effect."""
    system.add("repeated", "text")
    key = str(uuid4())
    first, again = (post(system, path, body, key) for _ in range(2))
    assert first.status_code in (200, 202)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.headers["content-type"] == again.headers["content-type"]
    # What says where the task is, or which version was written, is part of the reply.
    named = {"etag": first.json()["version"]} if path == "/add" else {"location": first.json().get("status_url")}
    for name, value in named.items():
        expected = f'"{value}"' if name == "etag" else value
        assert expected == first.headers.get(name) == again.headers.get(name)
    assert (None, "true") == (first.headers.get("idempotency-replayed"), again.headers.get("idempotency-replayed"))
    assert first.content != post(system, path, body, str(uuid4())).content or path == "/messages"


def test_a_key_belongs_to_one_request(system: Any) -> None:
    """Other parameters or another route with the same key are rejected; keys that differ in case are two."""
    key = f"Key-{uuid4()}"
    assert 202 == post(system, "/messages", {"text": "one"}, key).status_code
    for path, body in (("/messages", {"text": "two"}), ("/add", {"key": "x", "value": "one"})):
        refused = post(system, path, body, key)
        assert (422, "/problems/idempotency-key-reused") == (refused.status_code, refused.json()["type"])
    assert 202 == post(system, "/messages", {"text": "two"}, key.upper()).status_code
    assert 422 == post(system, "/messages", {"text": "one"}, "x" * 256).status_code


def test_a_key_belongs_to_one_condition(system: Any) -> None:
    """The same body under another condition is another request."""
    body, key = {"key": "once on condition", "value": "text"}, str(uuid4())
    conditions: list[dict[str, str]] = [{"If-None-Match": "*"}, {"If-Match": '"1"'}, {"If-Match": '"2"'}, {}]
    system.http.delete("/delete", params={"key": "once on condition"})
    for condition, expected in [(conditions[0], 200), *((condition, 422) for condition in conditions[1:])]:
        answer = system.http.post("/add", json=body, headers={"Idempotency-Key": key, **condition})
        assert expected == answer.status_code, condition
    again = system.http.post("/add", json=body, headers={"Idempotency-Key": key, **conditions[0]})
    assert (200, "true") == (again.status_code, again.headers["idempotency-replayed"])


def test_a_rejected_request_can_be_repeated(system: Any) -> None:
    """A rejection had no effect, so the same request is screened again."""
    key, absent = str(uuid4()), "added between two runs"
    assert 404 == post(system, "/run", {"key": absent}, key).status_code
    system.add(absent, "text")
    assert 202 == post(system, "/run", {"key": absent}, key).status_code


def test_one_of_many_concurrent_repetitions_has_an_effect(system: Any) -> None:
    """A concurrent repetition is a 409, or gets the same reply; there is one effect."""
    # No random name for an entry: one of some thousands looks like an IBAN, and is refused.
    key, name = str(uuid4()), "added at once"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _n: post(system, "/add", {"key": name, "value": "text"}, key), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert 1 == len({answer.content for answer in answers if answer.status_code == 200})
    assert 1 == system.http.get("/read", params={"key": name}).json()["version"]
