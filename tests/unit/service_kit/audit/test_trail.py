"""Acts are on disk before they are answered, shipped once, and refused where they give out and cannot be recorded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from starlette.responses import Response

from vestibule.contracts.audit import Act, ActOutcome, AuditRecord
from vestibule.contracts.errors import TaskNotFound, Unavailable
from vestibule.service_kit.audit.acts import note_act, serve_act
from vestibule.service_kit.audit.outbox import INVALID, AuditOutbox, auditing
from vestibule.service_kit.audit.trail import AuditTrail
from vestibule.service_kit.fast_dispatch.dispatch_plan import NeedsFramework


class Receiver:
    """Keeps acts as the database service does, while it is there."""

    def __init__(self) -> None:
        self.is_there = True
        self.records: dict[tuple[str, str], AuditRecord] = {}

    async def add(self, records: Sequence[AuditRecord]) -> int:
        if not self.is_there:
            raise Unavailable("database", "The database service does not answer.")
        before = len(self.records)
        for record in records:
            self.records.setdefault((record.act_id, record.outcome), record)
        return len(self.records) - before

    def told(self) -> list[tuple[str, ActOutcome, str | None, str | None]]:
        return [(one.act, one.outcome, one.target, one.problem) for one in self.records.values()]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def trail(receiver: Receiver, tmp_path: Path) -> AuditTrail:
    return AuditTrail("client", tmp_path, receiver)


def _request(**parameters: str) -> Request:
    return Request({"type": "http", "state": {}, "path_params": parameters})


async def _serve(trail: AuditTrail, act: Act, error: Exception | None = None, request: Request | None = None) -> Any:
    done: list[str] = []

    async def handle(_request: Request) -> Response:
        done.append("done")
        note_act(reason="ticket 4711")
        if error is not None:
            raise error
        return Response()

    try:
        await serve_act(request or _request(task_id="t-1"), act, trail, handle)
    except (TaskNotFound, Unavailable, NeedsFramework):
        return done, "refused"
    return done, "answered"


async def test_what_gives_out_is_refused_where_it_cannot_be_recorded(receiver: Receiver, trail: AuditTrail) -> None:
    """It is not begun; any other act goes on, and is recorded when the database service is back."""
    receiver.is_there = False
    assert ([], "refused") == await _serve(trail, Act.VALUE_REVEALED)
    assert (["done"], "answered") == await _serve(trail, Act.TASK_RETRIED)
    receiver.is_there = True
    assert 1 == await trail.ship()
    assert [("task_retried", "done", "t-1", None)] == receiver.told()


async def test_a_begun_act_is_not_answered_without_its_end(
    receiver: Receiver, trail: AuditTrail, tmp_path: Path
) -> None:
    """Where neither the disk nor the database service takes the end, the reply of a reveal stays here."""
    (tmp_path / "audit").write_text("a file in the place of the folder")
    assert (["done"], "answered") == await _serve(trail, Act.VALUE_REVEALED)
    assert ["begun", "done"] == [one[1] for one in receiver.told()]

    async def handle(_request: Request) -> Response:
        receiver.is_there = False
        return Response()

    with pytest.raises(Unavailable):
        await serve_act(_request(), Act.VALUE_REVEALED, trail, handle)


async def test_a_refused_act_has_no_target(receiver: Receiver, trail: AuditTrail) -> None:
    """The parameters of its path may be anything; a request that comes again for the framework counts once."""
    await _serve(trail, Act.TASK_CANCELLED, TaskNotFound("No task has that id."))
    request = _request(task_id="t-2")
    await _serve(trail, Act.VALUE_REVEALED, NeedsFramework(), request)
    await _serve(trail, Act.VALUE_REVEALED, None, request)
    await trail.ship()
    assert [
        ("value_revealed", "begun", None, None),
        ("task_cancelled", "refused", None, "task-not-found"),
        ("value_revealed", "done", "t-2", None),
    ] == receiver.told()


async def test_acts_wait_on_disk_over_restarts(receiver: Receiver, trail: AuditTrail, tmp_path: Path) -> None:
    """Another service on the data directory ships them once, in their order; a file that is none stays."""
    receiver.is_there = False
    (tmp_path / "keys").mkdir()
    with auditing(tmp_path, Act.DATABASE_BACKED_UP):
        pass
    with pytest.raises(RuntimeError), auditing(tmp_path, Act.KEY_RETIRED, "k-1"):
        raise RuntimeError
    await trail.record(Act.TASK_DROPPED, target="t-1", reason="ticket 4711")
    (tmp_path / "audit" / "0.json").write_text("{}")
    with pytest.raises(Unavailable):
        await trail.ship()
    receiver.is_there = True
    assert (3, 0) == (await AuditTrail("scheduler", tmp_path, receiver).ship(), await trail.ship())
    assert ["database_backed_up", "key_retired", "task_dropped"] == [one[0] for one in receiver.told()]
    assert ["done", "failed", "done"] == [one[1] for one in receiver.told()]
    assert [f"0{INVALID}"] == [path.name for path in (tmp_path / "audit").iterdir()]
    assert all(one.reason_digest for one in receiver.records.values() if one.reason)
    assert [] == AuditOutbox(tmp_path / "elsewhere").waiting()


def test_a_user_without_a_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that no file of users has; the act is recorded all the same."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    (tmp_path / "keys").mkdir()
    with auditing(tmp_path, Act.DATABASE_BACKED_UP):
        pass
    ((_, record),) = AuditOutbox(tmp_path).waiting()
    assert "os:4711" == record.token_name
