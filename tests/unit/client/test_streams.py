"""Streams of events go on over cuts, from where they were."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from servers.scripted import LOST, Script, problem
from vestibule.client import UnexpectedAnswer, VestibuleError
from vestibule.client.asynchronous import decisions as asynchronous_decisions
from vestibule.client.event_stream import EventParser
from vestibule.client.results.decisions import MissedDecisions, SampledDecisions
from vestibule.client.synchronous import decisions as synchronous_decisions
from vestibule.contracts import errors

STREAM = {"Content-Type": "text/event-stream"}


def _events(*events: tuple[str, str, Any], rest: str = "") -> tuple[int, bytes, dict[str, str]]:
    lines = [f"id: {name}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for kind, name, data in events]
    return 200, (": listening\n\n" + "".join(lines) + rest).encode(), STREAM


def _take(count: int, stream: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what takes so many events of a stream of either client."""

    def take(client: Any) -> Any:
        events = stream(client)
        return _taken(events, count) if hasattr(events, "__aiter__") else [next(events) for _ in range(count)]

    return take


async def _taken(events: Any, count: int) -> list[Any]:
    taken = [await anext(events) for _ in range(count)]
    await events.aclose()
    return taken


def test_changes_go_on_after_the_last_one(script: Script, ask: Callable[..., Any]) -> None:
    """A stream that ends, a cut and a service that is away: the next one begins after the last whole event."""
    first = _events(
        ("written", "p1", {"key": "a", "version": 1}),
        ("deleted", "p2", {"key": "b", "version": 2}),
        rest="id: p3\nevent: wri",
    )
    script.will(first, LOST, problem("unavailable", 503), _events(("reset", "p9", {})))
    changes = ask(_take(3, lambda client: client.entries.watch("a&b")))
    assert [("written", "a", 1, "p1"), ("deleted", "b", 2, "p2"), ("reset", None, None, "p9")] == [
        (one.kind, one.key, one.version, one.event_id) for one in changes
    ]
    assert [None, "p2", "p2", "p2"] == script.headers("last-event-id")[:4]
    assert {"/watch?prefix=a%26b"} == {path for _, path, *_ in script.requests}
    assert {"text/event-stream"} == set(script.headers("accept"))


def test_a_stream_begins_where_it_is_told(script: Script, ask: Callable[..., Any]) -> None:
    """A program that was restarted goes on with the id that it kept."""
    script.will(_events(("written", "p8", {"key": "a", "version": 1})))
    ask(_take(1, lambda client: client.entries.watch(last_event_id="p7")))
    assert ["p7"] == script.headers("last-event-id")[:1]


def test_a_refused_stream_is_an_error(script: Script, ask: Callable[..., Any]) -> None:
    """As every other request."""
    script.will(problem("insufficient-scope", 403, scope="read"))
    with pytest.raises(errors.ScopeMissing):
        ask(_take(1, lambda client: client.entries.watch()))


def test_a_page_of_another_program_is_no_stream(script: Script, ask: Callable[..., Any]) -> None:
    """It would be read again and again without end."""
    script.will((200, b"<html>", {"Content-Type": "text/html"}))
    for stream in (lambda client: client.entries.watch(), lambda client: client.tasks.follow("t")):
        with pytest.raises(UnexpectedAnswer, match="no stream of events"):
            ask(_take(1, stream))
    assert 2 == len(script.requests)


def test_a_stream_that_is_away_for_too_long_is_given_up(script: Script, ask: Callable[..., Any]) -> None:
    """After the timeout of the client, and not after a few attempts."""
    script.will(_events(("written", "p1", {"key": "a", "version": 1})), problem("unavailable", 503))
    with pytest.raises(errors.Unavailable) as raised:
        ask(_take(2, lambda client: client.entries.watch()), timeout_s=0.5)
    assert raised.value.attempts > 4


def _decision(name: str, minute: int) -> dict[str, Any]:
    at = f"2026-01-31T12:{minute:02}:00Z"
    return {"time": at, "decision_id": name, "route": "/add", "policy": "p", "detectors": "d"}


def test_decisions_of_a_cut_are_delivered(
    script: Script, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded meanwhile comes first and once, and then what the new stream has."""
    for module in (asynchronous_decisions, synchronous_decisions):
        monkeypatch.setattr(module, "RECORDED_WITHIN_S", 0.0)
    page = {"decisions": [_decision("d3", 3), _decision("d2", 2), _decision("d1", 1)]}
    first, third, fourth = (("decision", name, _decision(name, int(name[1]))) for name in ("d1", "d3", "d4"))
    script.will(_events(first), _events(("missed", "d3", {"missed": 7}), third, fourth), (200, page))
    found = ask(_take(5, lambda client: client.decisions.stream(route="/add")))
    assert ["d1", "d2", "d3", 7, "d4"] == [
        one.missed if isinstance(one, MissedDecisions) else one.decision_id for one in found
    ]
    assert {"/add"} == {path.partition("route=")[2].replace("%2F", "/")[:4] for _, path, *_ in script.requests}


def test_a_sample_says_what_it_leaves_out_and_takes_as_much_after_a_cut(
    script: Script, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page of the newest, however much was recorded meanwhile."""
    for module in (asynchronous_decisions, synchronous_decisions):
        monkeypatch.setattr(module, "RECORDED_WITHIN_S", 0.0)
    page = {"decisions": [_decision("d3", 3), _decision("d2", 2)], "cursor": "1.1"}
    first, fourth = (("decision", name, _decision(name, int(name[1]))) for name in ("d1", "d4"))
    script.will(_events(first, ("sampled", "d1", {"left_out": 998})), _events(fourth), (200, page))
    found = ask(_take(5, lambda client: client.decisions.stream(at_most=2)))
    told = [one.left_out if isinstance(one, SampledDecisions) else one.decision_id for one in found]
    assert ["d1", 998, "d2", "d3", "d4"] == told
    assert ["limit=2"] == [path[path.index("limit") :][:7] for _, path, *_ in script.requests if "limit" in path][:1]


def test_a_task_is_followed_to_its_end(script: Script, ask: Callable[..., Any]) -> None:
    """Over streams that end before it, and each state once."""
    task = {"task_id": "t", "processor": "uppercase", "submitted_at": "2026-01-31T12:00:00Z"}
    states = [{**task, "state": state} for state in ("queued", "running", "succeeded")]
    kinds = [(one["state"], "", one) for one in states]
    script.will(_events(*kinds[:2]), _events(*kinds[1:]))

    def follow(client: Any) -> Any:
        events = client.tasks.follow("t")
        return _all(events) if hasattr(events, "__aiter__") else list(events)

    assert ["queued", "running", "succeeded"] == [one.state for one in ask(follow)]


async def _all(events: Any) -> list[Any]:
    return [one async for one in events]


def test_events_are_parsed_as_the_standard_says() -> None:
    """In pieces, with any end of line, several lines of data, comments, and fields that are not known."""
    parser = EventParser("p0")
    text = ": comment\r\nevent: a\r\ndata: 1\r\ndata:2\r\nretry: 5\r\n\r\n"
    text += "event: empty\n\nid\ndata: 3\n\nid: \0\ndata: 4\n\n"
    found = [event for piece in text for event in parser.feed(piece)]
    assert [("a", "p0", "1\n2"), ("message", "", "3"), ("message", "", "4")] == [
        (one.kind, one.last_id, one.data) for one in found
    ]
    with pytest.raises(UnexpectedAnswer, match="not JSON") as raised:
        found[0].json()
    assert isinstance(raised.value, VestibuleError)
    with pytest.raises(UnexpectedAnswer, match="too long"):
        list(EventParser().feed("data: " + "x" * (17 * 1024 * 1024)))
