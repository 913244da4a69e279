"""Results are frozen dataclasses, whose texts show no data."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from vestibule.client import TimedOut, UnexpectedAnswer, Unreachable, VestibuleError, WaitTimedOut
from vestibule.client.decoding import decode
from vestibule.client.errors import error_of
from vestibule.client.results.administration import CreatedToken
from vestibule.client.results.entries import AddedEntry, Entry
from vestibule.client.results.scheduler import MaintenanceWindow

ENTRY = {"key": "a", "value": "hello", "version": 1, "expires_at": "2026-01-31T12:00:00Z", "colour": "red"}


def test_a_result_is_a_frozen_dataclass() -> None:
    """With times as times; equal by its fields, and copied and pickled like others."""
    entry = decode(Entry, ENTRY)
    assert is_dataclass(entry)
    assert datetime(2026, 1, 31, 12, tzinfo=UTC) == entry.expires_at
    assert entry == decode(Entry, {**ENTRY, "colour": "blue"})
    assert entry != replace(entry, version=2)
    assert 1 == len({entry, copy.copy(entry), copy.deepcopy(entry), pickle.loads(pickle.dumps(entry))})
    assert {**ENTRY, "expires_at": entry.expires_at, "raw": ENTRY} == {**asdict(entry), "colour": "red"}
    for change in (lambda: setattr(entry, "key", "b"), lambda: delattr(entry, "key"), lambda: setattr(entry, "x", 1)):
        with pytest.raises(FrozenInstanceError):
            change()
    assert not hasattr(entry, "__dict__")


def test_a_result_is_made_like_a_dataclass() -> None:
    """For tests of programs that use the library: by keyword, with defaults, and mistakes are said."""
    made = Entry(key="a", value="b", version=1)
    assert (None, {}) == (made.expires_at, made.raw)
    with pytest.raises(TypeError, match="Entry needs value"):
        Entry(key="a", version=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Entry has no colour"):
        Entry(key="a", value="b", version=1, colour="red")  # type: ignore[call-arg]


def test_the_text_of_a_result_has_no_data() -> None:
    """Neither values nor tokens, nor the JSON as it came."""
    assert "Entry(key='a', version=1, expires_at=None)" == repr(Entry(key="a", value="hello", version=1))
    shown = dict.fromkeys(("created_by", "expires_at", "quota"))
    token = {"id": "1", "name": "n", "tenant": "t", "scopes": [], "source": "file", "token": "vst_secret"}
    created = decode(CreatedToken, {**token, **shown, "created_at": "2026-01-31T12:00:00Z"})
    assert "vst_secret" == created.token
    assert "vst_secret" not in f"{created} {created!r}"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": "1"}, "Entry.version"),
        ({"version": True}, "Entry.version"),
        ({"version": None}, "Entry.version"),
        ({"expires_at": "soon"}, "Entry.expires_at"),
        ({"value": 7}, "Entry.value"),
    ],
    ids=str,
)
def test_a_member_of_another_type_is_named(change: dict[str, Any], place: str) -> None:
    """By its place; what came is not repeated."""
    with pytest.raises(UnexpectedAnswer, match=place) as raised:
        decode(Entry, {**ENTRY, **change})
    assert (None, None) == (raised.value.__cause__, raised.value.__context__)


def test_results_within_results() -> None:
    """Lists, and members whose names Python does not take."""
    finding = {"entity": "E", "start": 1, "end": 2, "score": 1, "field": "value", "action": "redact", "later": 1}
    added = decode(AddedEntry, {"key": "a", "version": 1, "findings": [finding], "decision_id": "d"})
    assert [("E", "redact", 1.0, None)] == [
        (one.entity, one.action, one.score, one.would_have) for one in added.findings
    ]
    window = {"id": "w", "part": "all", "from": "2026-01-31T12:00:00Z", "until": "2026-01-31T13:00:00+00:00"}
    found = decode(MaintenanceWindow, {**window, "author": "a"})
    assert 3600 == (found.ends - found.begins).total_seconds()


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("gone", was_sent=True, attempts=3),
        TimedOut("late", was_sent=False),
        WaitTimedOut("t", 5.0, Entry(key="a", value="b", version=1)),
        error_of(503, {"type": "/problems/unavailable", "detail": "down", "part": "database"}, "r", 2.0),
        error_of(412, {"type": "/problems/precondition-failed", "current_version": 3}, "r", None),
        error_of(429, {"type": "/problems/quota-exceeded", "detail": "used up", "limit": 3}, "r", 9.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_copied_and_pickled(error: VestibuleError) -> None:
    """As it is when it leaves a process of a pool."""
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(error), str(error), vars(error)) == (type(other), str(other), vars(other))
