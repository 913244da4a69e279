"""The decision log of a folder is shipped once, whatever happens to the shipper, the receiver and the files."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.client_service.decisions import shipping
from vestibule.client_service.decisions.audit import listed_findings
from vestibule.client_service.decisions.shipping import DecisionShipper
from vestibule.contracts.decisions import (
    MAX_RECORDED_FINDINGS,
    Action,
    CleanCount,
    DecisionBatch,
    DecisionFilter,
    DecisionRecord,
    RecordedFinding,
)
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.decisions.decision_store import DecisionStore
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.main import build_decision_store
from vestibule.policy import DecidedFinding

TODAY = datetime.now(UTC).date()


class Receiver:
    """A store behind a line that can be cut, before a call arrives or after it."""

    def __init__(self, store: DecisionStore) -> None:
        self.store = store
        self.is_cut = self.loses_answers = False

    async def ship(self, batch: DecisionBatch) -> int:
        if self.is_cut:
            raise Unavailable("database", "cut")
        position = await self.store.add(DecisionBatch.model_validate_json(batch.model_dump_json(exclude_none=True)))
        if self.loses_answers:
            self.loses_answers = False
            raise Unavailable("database", "lost")
        return position

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        return await self.store.positions(files)

    async def ids(self) -> set[str]:
        page = await self.store.page(DecisionFilter(), 500, None)
        assert page.cursor is None
        return {one.decision_id for one in page.decisions}

    async def numbers(self) -> tuple[int, int]:
        """Return how many decisions were counted, with findings and without."""
        found = await self.store.counts(TODAY - timedelta(days=5), TODAY, None)
        return sum(sum(one.actions.values()) for one in found), sum(one.clean for one in found)


@pytest.fixture
async def receiver() -> Receiver:
    """A receiver with an empty store."""
    store = build_decision_store(MemoryStore(), 90)
    await store.prepare()
    return Receiver(store)


def write(folder: Path, count: int, *, days_ago: int = 0, clean: int = 1) -> set[str]:
    """Append so many decisions, and a count of clean ones; return their ids."""
    day = TODAY - timedelta(days=days_ago)
    finding = RecordedFinding(entity="EMAIL_ADDRESS", score=0.9, field="value", action=Action.REDACT)
    common: dict[str, Any] = {"time": datetime.now(UTC) - timedelta(days=days_ago), "policy": "p", "detectors": "d"}
    records = [
        DecisionRecord(**common, decision_id=secrets.token_hex(8), route="/add", findings=[finding])
        for _ in range(count)
    ]
    lines = [one.model_dump_json(exclude_none=True) for one in records]
    lines.append(CleanCount(**common, route="/add", clean=clean).model_dump_json())
    with (folder / f"{day}.jsonl").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return {one.decision_id for one in records}


def shipper(folder: Path, receiver: Receiver) -> DecisionShipper:
    return DecisionShipper(folder, 90, receiver)


async def test_each_line_is_shipped_once(receiver: Receiver, tmp_path: Path) -> None:
    """Of several days, by one shipper after the other; a torn last line waits, one that is no record is left out."""
    ids = write(tmp_path, 250, days_ago=1) | write(tmp_path, 3)
    with (tmp_path / f"{TODAY}.jsonl").open("ab") as file:
        file.write(b'nonsense\n{"time":')
    for _ in range(2):
        await shipper(tmp_path, receiver).ship()
    assert (ids, (253, 2)) == (await receiver.ids() | ids, await receiver.numbers())
    with (tmp_path / f"{TODAY}.jsonl").open("ab") as file:
        file.write(b"1}\n")
    same = shipper(tmp_path, receiver)
    more = write(tmp_path, 2)
    assert [2, 0] == [await same.ship(), await same.ship()]
    write(tmp_path, 1)
    assert 1 == await same.ship()
    assert more <= await receiver.ids()
    assert (256, 4) == await receiver.numbers()


async def test_an_outage_loses_and_repeats_nothing(receiver: Receiver, tmp_path: Path) -> None:
    """The receiver is away, or its answer is lost although it has recorded the batch."""
    ids, one = write(tmp_path, 5), shipper(tmp_path, receiver)
    receiver.is_cut = True
    with pytest.raises(Unavailable):
        await one.ship()
    receiver.is_cut, receiver.loses_answers = False, True
    with pytest.raises(Unavailable):
        await one.ship()
    ids |= write(tmp_path, 5)
    for each in (one, shipper(tmp_path, receiver)):
        await each.ship()
    assert (ids, (10, 2)) == (await receiver.ids(), await receiver.numbers())


async def test_a_file_that_is_made_again_is_another(receiver: Receiver, tmp_path: Path) -> None:
    """Also where it is longer than the one before; and a store that was restored gets what it lacks."""
    ids, one = write(tmp_path, 2), shipper(tmp_path, receiver)
    await one.ship()
    (tmp_path / f"{TODAY}.jsonl").unlink()
    await one.ship()
    ids |= write(tmp_path, 7)
    await one.ship()
    assert (ids, (9, 2)) == (await receiver.ids(), await receiver.numbers())
    receiver.store = build_decision_store(MemoryStore(), 90)
    await receiver.store.prepare()
    write(tmp_path, 1)
    await one.ship()
    assert (8, 2) == await receiver.numbers()


async def test_one_process_ships_and_the_next_goes_on(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one holds the folder, another waits; it goes on when the first has ended."""
    monkeypatch.setattr(shipping, "SHIP_EVERY_S", 0.01)
    first, second = shipper(tmp_path, receiver), shipper(tmp_path, receiver)
    running = asyncio.create_task(first.run())
    ids = write(tmp_path, 1)
    async with asyncio.timeout(20):
        while ids != await receiver.ids():  # noqa: ASYNC110 - the store offers nothing to wait for
            await asyncio.sleep(0.01)
        async with second.running():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            ids |= write(tmp_path, 1)
            while ids != await receiver.ids():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (2, 2) == await receiver.numbers()


class _Found:
    def __init__(self, entity: str) -> None:
        self.entity, self.start, self.end, self.score = entity, 0, 1, 0.9


def test_a_record_lists_a_bounded_number_of_findings() -> None:
    """The first of each kind and action is among them, however late it comes."""
    many = [(DecidedFinding("value", _Found("EMAIL_ADDRESS"), Action.REDACT), None)] * 500
    rare = (DecidedFinding("value", _Found("CREDIT_CARD"), Action.BLOCK), None)
    listed = listed_findings([*many, rare, *many])
    assert (MAX_RECORDED_FINDINGS, rare) == (len(listed), listed[-1])
    assert many[:5] == listed_findings(many[:5])
