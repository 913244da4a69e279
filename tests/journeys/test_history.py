"""The past of entries as a caller sees it: versions with who and when, and events that go on after a break."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import httpx

TIMEOUT = httpx.Timeout(30)


def _events(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """Yield the fields of each event that has data."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "data" in fields or "id" in fields:
                yield fields
            fields = {}


def test_the_history_of_an_entry(system):
    """Each version is there with its time and the token that wrote it; a delete takes the values away."""
    for number in range(12):
        assert 200 == system.add("remembered", f"value {number}").status_code
    revisions = system.http.get("/history", params={"key": "remembered"}).json()["revisions"]
    assert [(number + 1, f"value {number}") for number in range(11, 1, -1)] == [
        (one["version"], one["value"]) for one in revisions
    ]
    assert {("written", "development")} == {(one["kind"], one["by"]) for one in revisions}
    assert sorted((one["at"] for one in revisions), reverse=True) == [one["at"] for one in revisions]
    command = [sys.executable, "-m", "vestibule", "history", "remembered"]
    shown = subprocess.run(command, env={**os.environ, "VESTIBULE_URL": system.url}, capture_output=True, text=True)
    assert ("12", "value 11") == (shown.stdout.split()[0], " ".join(shown.stdout.splitlines()[0].split()[-2:]))

    system.http.delete("/delete", params={"key": "remembered"})
    (only,) = system.http.get("/history", params={"key": "remembered"}).json()["revisions"]
    assert (12, "deleted", "development") == (only["version"], only["kind"], only["by"])
    assert "value" not in only
    assert 404 == system.http.get("/history", params={"key": "never there"}).status_code


def test_watching_goes_on_after_a_break(system):
    """Events come while they happen; with the last id what happened during a break comes first."""
    with system.http.stream("GET", "/watch", params={"prefix": "watched"}, timeout=TIMEOUT) as answer:
        assert "text/event-stream" in answer.headers["content-type"]
        events = _events(answer)
        next(events)  # where it begins
        system.add("watched-1", "x")
        system.add("not watched", "x")
        first = next(events)
        assert ("written", {"key": "watched-1", "version": 1, "kind": "written"}) == (
            first["event"],
            json.loads(first["data"]),
        )
    system.http.delete("/delete", params={"key": "watched-1"})
    system.add("watched-2", "x")
    seen = {"Last-Event-ID": first["id"]}
    with system.http.stream("GET", "/watch", params={"prefix": "watched"}, headers=seen, timeout=TIMEOUT) as answer:
        events = _events(answer)
        assert ["deleted", "written"] == [next(events)["event"] for _ in range(2)]
    with system.http.stream("GET", "/watch", headers={"Last-Event-ID": "made up"}, timeout=TIMEOUT) as answer:
        assert "reset" == next(_events(answer))["event"]


def test_watching_needs_a_token_that_may_read(system):
    """A stranger gets 401, as everywhere."""
    for path in ("/watch", "/history?key=a"):
        assert 401 == system.http.get(path, headers={"Authorization": "Bearer nobody"}).status_code
