"""What the client sends, how often, and what it makes of answers, against a server that follows a script."""

import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from servers.scripted import LOST, Script, problem
from vestibule.client import (
    Client,
    Retry,
    TimedOut,
    UnexpectedAnswer,
    Unreachable,
    VestibuleError,
    WaitTimedOut,
)
from vestibule.contracts import errors

WRITTEN = {"status": "written", "key": "a", "version": 1, "findings": [], "decision_id": "5f3a9c21d0b4e876"}


def test_an_add_is_repeated_with_one_key(script: Script, ask: Callable[..., Any], token: str) -> None:
    """Two answers are lost and a service is unavailable: the client asks again, each time with the same key."""
    script.will(LOST, problem("unavailable", 503, part="database"), LOST, (200, WRITTEN))
    added = ask(lambda client: client.entries.add("a", "b", ttl_s=5, if_version=0, receipt=True))
    assert (1, WRITTEN) == (added.version, added.raw)
    keys = script.headers("idempotency-key")
    assert (4, 1) == (len(keys), len(set(keys)))
    method, path, headers, body = script.requests[0]
    assert ("POST", "/add", {"key": "a", "value": "b", "ttl_s": 5}) == (method, path, json.loads(body))
    assert {"*": f"Bearer {token}", "receipt": "application/json"} == {
        headers["if-none-match"]: headers["authorization"],
        headers["prefer"]: headers["content-type"],
    }


def test_a_key_of_the_caller_is_sent(script: Script, ask: Callable[..., Any]) -> None:
    """So that it holds over restarts of the caller; without repetitions no key is needed."""
    script.will((200, WRITTEN))
    ask(lambda client: client.entries.add("a", "b", idempotency_key="order 4711"))
    ask(lambda client: client.entries.add("a", "b"), retry=Retry(attempts=1))
    assert ["order 4711"] == script.headers("idempotency-key")[:1]
    ask(lambda client: client.entries.add("a", "b"), retry=Retry(attempts=1))
    assert [None, None] == script.headers("idempotency-key")[1:]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.entries.add_many({"a": "b"}),
        lambda client: client.tokens.create("t", scopes=["add"]),
        lambda client: client.silences.add(reason="r", hours=1, all=True),
        lambda client: client.entries.delete("a", if_version=2),
        lambda client: client.detection.reveal("<T>", reason="r"),
        lambda client: client.detection.reveal_entry("k", reason="r"),
    ],
)
def test_what_cannot_be_repeated_is_not(script: Script, ask: Callable[..., Any], call: Callable[[Any], Any]) -> None:
    """After a lost answer nobody knows whether it was done."""
    script.will(LOST)
    with pytest.raises(Unreachable) as raised:
        ask(call)
    assert (1, 1, True) == (len(script.requests), raised.value.attempts, raised.value.was_sent)


def test_reads_are_repeated_a_few_times(script: Script, ask: Callable[..., Any]) -> None:
    """The error says how often it was tried."""
    script.will(LOST)
    with pytest.raises(Unreachable, match="closed the connection before it answered") as raised:
        ask(lambda client: client.entries.read("a"))
    assert (4, 4) == (len(script.requests), raised.value.attempts)


def test_nobody_listens(ask: Callable[..., Any], free_port: int) -> None:
    """A refused connection is tried again, whatever it was for, and is an error of its own."""
    with pytest.raises(Unreachable, match="is not reachable") as raised:
        ask(lambda client: client.tokens.create("t", scopes=["add"]), f"http://127.0.0.1:{free_port}")
    assert (4, False, 503) == (raised.value.attempts, raised.value.was_sent, raised.value.status or 503)


def test_a_silent_service_is_not_waited_for_longer(ask: Callable[..., Any]) -> None:
    """The timeout is for all attempts together."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TimedOut, match=r"does not answer within 0\.3 s"):
            ask(lambda client: client.entries.read("a"), url, timeout_s=0.3)


def test_a_wait_that_ends_says_for_what(script: Script, ask: Callable[..., Any]) -> None:
    """The error has the id of the task, which goes on, and its last status."""
    running = {"task_id": "t-1", "state": "running", "processor": "uppercase", "submitted_at": "2026-01-31T12:00:00Z"}
    script.will((200, running))
    with pytest.raises(WaitTimedOut, match="t-1 has not ended within 0 s") as raised:
        ask(lambda client: client.tasks.wait("t-1", 0))
    assert ("t-1", "running") == (raised.value.task_id, raised.value.last.state)


def test_a_wait_goes_on_over_a_restart_of_the_service(script: Script, ask: Callable[..., Any]) -> None:
    """Once it has answered; before that, nobody answers at all."""
    running = {"task_id": "t-1", "state": "running", "processor": "uppercase", "submitted_at": "2026-01-31T12:00:00Z"}
    script.will((200, running), *[LOST] * 5, problem("unavailable", 503), (200, {**running, "state": "succeeded"}))
    assert "succeeded" == ask(lambda client: client.tasks.wait("t-1", 60)).state
    script.will(LOST)
    with pytest.raises(Unreachable):
        ask(lambda client: client.tasks.wait("t-1", 60))


def test_a_wait_ends_where_nobody_answers(ask: Callable[..., Any]) -> None:
    """Soon after the time that was asked for: the error is the same, without a last status."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(WaitTimedOut) as raised:
            ask(lambda client: client.tasks.wait("t-1", 0.1), url, timeout_s=0.2)
    assert ("t-1", None) == (raised.value.task_id, raised.value.last)


@pytest.mark.parametrize(
    ("slug", "status", "kind"),
    [
        ("personal-data", 422, errors.PersonalDataFound),
        ("result-refused", 422, errors.ResultRefused),
        ("key-not-found", 404, errors.KeyNotFound),
        ("precondition-failed", 412, errors.PreconditionFailed),
        ("invalid-token", 401, errors.InvalidToken),
        ("too-many-auth-failures", 429, errors.TooManyAuthFailures),
        ("internal-error", 500, VestibuleError),
        ("route-not-found", 404, errors.NotFound),
        # Of a version after this one.
        ("not-yet-known", 404, errors.NotFound),
        ("not-yet-known", 409, errors.Conflict),
        ("not-yet-known", 418, errors.Refused),
        ("not-yet-known", 501, VestibuleError),
    ],
)
def test_a_problem_is_a_named_error(
    script: Script, ask: Callable[..., Any], slug: str, status: int, kind: type[VestibuleError]
) -> None:
    """Of the class that the service raised, or of the nearest; it has what the document says."""
    script.will(problem(slug, status, {"Retry-After": "7"}, more=[1]))
    with pytest.raises(VestibuleError, match=r"^D\.$") as raised:
        ask(lambda client: client.entries.read("a"))
    error = raised.value
    assert (kind, status, "req-1", {"more": [1]}) == (type(error), error.status, error.request_id, error.extra)
    assert ("D.", slug) == (error.detail, str(error.problem["type"]).rpartition("/")[2])


def test_every_problem_type_has_a_class() -> None:
    """The class is the one that the service renders as that problem, or else the nearest by status."""
    from vestibule.client.errors import error_of
    from vestibule.service_kit.problem_types import OF_ERRORS, PROBLEM_TYPES

    found = {name: type(error_of(one.status, {"type": one.uri}, None, None)) for name, one in PROBLEM_TYPES.items()}
    own = {one.name: kind for kind, one in OF_ERRORS.items()}
    assert own == {name: kind for name, kind in found.items() if name in own}
    others = {name: kind for name, kind in found.items() if name not in own}
    assert {"overloaded": errors.Unavailable, "route-not-found": errors.NotFound} == {
        name: others[name] for name in ("overloaded", "route-not-found")
    }
    assert VestibuleError not in others.values()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>", {"Content-Type": "text/html"}),
        (404, b"not here", {"Content-Type": "text/plain"}),
        (302, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
        (200, {"key": "a"}),
        (200, {**WRITTEN, "value": 7}),
        (200, [WRITTEN]),
        (200, b"[" * 100_000),
        (409, b"[" * 100_000),
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_an_answer_of_something_else_is_named(script: Script, ask: Callable[..., Any], answer: Any) -> None:
    """Another program, a redirect, which is not followed with a token, or an answer without what is needed."""
    script.will(answer)
    with pytest.raises(UnexpectedAnswer):
        ask(lambda client: client.entries.read("a"))
    assert 1 == len(script.requests)


def test_members_of_later_versions_are_ignored(script: Script, ask: Callable[..., Any]) -> None:
    """They are in `raw`; what an earlier version leaves out has its default."""
    script.will((200, {"key": "a", "value": "b", "version": 2, "colour": "red"}))
    entry = ask(lambda client: client.entries.read("a"))
    assert ("b", 2, None, "red") == (entry.value, entry.version, entry.expires_at, entry.raw["colour"])


def test_names_in_the_path_and_the_query_are_quoted(script: Script, ask: Callable[..., Any]) -> None:
    """No id leads to another route, and no key to another parameter; an empty one is refused at once."""
    script.will((200, {"key": "a", "value": "b", "version": 2}))
    ask(lambda client: client.entries.read("a/b?c=d&e ü"))
    assert "/read?key=a%2Fb%3Fc%3Dd%26e+%C3%BC" == script.requests[0][1]
    for name, expected in (("..", "/trace/%2E%2E"), ("a/../b?c", "/trace/a%2F..%2Fb%3Fc")):
        script.will((200, {"id": name, "events": []}))
        ask(lambda client, name=name: client.traces.get(name))
        assert expected == script.requests[0][1]
    with pytest.raises(ValueError, match="trace_id must not be empty"):
        ask(lambda client: client.traces.get(""))


def test_what_cannot_be_sent_is_refused_at_once(script: Script, ask: Callable[..., Any]) -> None:
    """Bytes, which would pass for a list of numbers that no detector reads; and an address without end."""
    sent = len(script.requests)
    for value in (b"a", bytearray(b"a"), [b"a"]):
        with pytest.raises(TypeError, match="not JSON serializable"):
            ask(lambda client, value=value: client.forms.submit("contact", {"note": value}))
    with pytest.raises(ValueError, match="too long"):
        ask(lambda client: client.entries.read("k" * 70_000))
    assert sent == len(script.requests)


def test_the_token_is_nowhere(
    script: Script, ask: Callable[..., Any], caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """Not in a text of the client, an error with all that hangs on it, or a log, at any level."""
    caplog.set_level(logging.DEBUG)
    shown = []
    for answers, url in (((LOST,), script.url), ((problem("invalid-token", 401),), script.url)):
        script.will(*answers)
        with pytest.raises(VestibuleError) as raised:
            ask(lambda client: shown.append(f"{client!r} {vars(client)}") or client.entries.read("a"), url)
        assert (None, None) == (raised.value.__cause__, raised.value.__context__)
        shown.append(f"{raised.value!r} {vars(raised.value)}")
    with pytest.raises(ValueError, match="printable ASCII characters, without spaces") as refused:
        Client(script.url, f"{token}\n")
    assert token not in f"{refused.value!r}"
    assert 4 == len(shown)
    assert token not in " ".join([*shown, caplog.text])


def test_options_are_sent(script: Script, ask: Callable[..., Any]) -> None:
    """The id of the request and the user agent; `with_options` changes one for some calls."""
    script.will((200, {"key": "a", "value": "b", "version": 2}))
    options = {"request_id": "job-7", "user_agent": "importer/2"}
    ask(lambda client: client.entries.read("a"), **options)
    ask(lambda client: client.with_options(request_id="job-8", timeout_s=5).entries.read("a"), **options)
    assert ["job-7", "job-8"] == script.headers("x-request-id")
    assert ["importer/2", "importer/2"] == script.headers("user-agent")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"url": "ftp://host"}, "address"),
        ({"url": "http://user:password@host"}, "without a user"),
        ({"url": "http://host/?q=1"}, "without a user or a query"),
        ({"request_id": "a b"}, "request_id"),
        ({"user_agent": "a\r\nb"}, "user_agent"),
        ({"url": "http://host\n"}, "address"),
        ({"url": " http://host"}, "address"),
        ({"url": "http://host name"}, "address"),
        ({"url": "http://host?"}, "address"),
        ({"url": "http://a..b"}, "address"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(options: dict[str, Any], what: str) -> None:
    """At once, and not with the first call."""
    with pytest.raises(ValueError, match=what):
        Client(**options)


def test_addresses_have_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine, then the environment, then what is given; the scheduler is three ports above."""
    names = ("VESTIBULE_URL", "VESTIBULE_TOKEN", "VESTIBULE_SCHEDULER_URL")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    with Client() as local, Client("http://[::1]:80/") as other, Client("https://vestibule.example") as far:
        assert ("http://127.0.0.1:8000", "http://127.0.0.1:8003") == (local.url, local.scheduler_url)
        assert ("http://[::1]:80", "http://[::1]:83") == (other.url, other.scheduler_url)
        with Client("http://127.0.0.1:65533") as last:
            assert last.scheduler_url is None
        with pytest.raises(ValueError, match="pass scheduler_url"):
            far.status.get()
    monkeypatch.setenv("VESTIBULE_URL", "http://host:1")
    monkeypatch.setenv("VESTIBULE_SCHEDULER_URL", "http://scheduler:2")
    with Client() as named:
        assert ("http://host:1", "http://scheduler:2") == (named.url, named.scheduler_url)
