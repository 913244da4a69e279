"""The contract of every store of the audit: one suite for all of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servers.stores import with_server
from vestibule.contracts.audit import (
    NO_HASH,
    Act,
    ActOutcome,
    AuditHead,
    AuditLine,
    AuditOrder,
    AuditQuery,
    AuditRecord,
    ChainBroken,
    verify_chain,
)
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.audit.audit_store import AuditStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.main import build_audit_store, store_kinds
from vestibule.database_service.maintenance.backup import back_up, restore
from vestibule.database_service.settings import DatabaseSettings

KINDS = store_kinds()
NOW = datetime.now(UTC)
BY_NUMBER = AuditQuery(order=AuditOrder.OLDEST, limit=500)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def audit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AuditStore]:
    """An empty store of each kind."""
    kind = with_server(KINDS[request.param], request)
    store = kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:"))
    async with store:
        found = build_audit_store(store)
        await found.prepare()
        yield found


def act(**given: Any) -> AuditRecord:
    known: dict[str, Any] = {"act_id": secrets.token_hex(16), "time": NOW, "act": "silence_added", "service": "client"}
    return AuditRecord(**{**known, "tenant": "default", "token_id": "t1", "token_name": "on-call", **given}).sealed()


async def _lines(audit: AuditStore, **wanted: Any) -> list[AuditLine]:
    return (await audit.page(BY_NUMBER.model_copy(update=wanted))).lines


async def test_a_line_is_returned_as_it_came(audit: AuditStore) -> None:
    """With all its members, its number, and the hash of the line before; an act counts once, however often it comes."""
    assert AuditHead(seq=0, hash=NO_HASH) == await audit.head()
    ids = {"request_id": "r-1", "target": "9a76fd8275cf19f0", "problem": "invalid-input"}
    first, second = act(outcome=ActOutcome.REFUSED, reason="ticket 4711: Änderung", **ids), act()
    assert (2, 0) == (await audit.add([first, second]), await audit.add([second, first]))
    lines = await _lines(audit)
    assert ([first, second], [1, 2]) == ([one.record for one in lines], [one.seq for one in lines])
    assert [NO_HASH, lines[0].hash] == [one.previous for one in lines]
    assert verify_chain(lines) == await audit.head() == AuditHead(seq=2, hash=lines[1].hash)


async def test_each_filter_applies(audit: AuditStore) -> None:
    """Tenants, token by id or name, act, outcome and a span of time; pages follow each other in both orders."""
    old = act(time=NOW - timedelta(hours=2), act="task_retried")
    foreign, refused = act(tenant="t", token_id="t2", token_name="other"), act(outcome=ActOutcome.REFUSED)
    await audit.add([old, foreign, refused])
    expected: list[tuple[dict[str, Any], list[AuditRecord]]] = [
        ({"tenants": ["t", "u"]}, [foreign]),
        ({"tenants": []}, []),
        ({"token": "t2"}, [foreign]),
        ({"token": "on-call", "tenants": ["default"]}, [old, refused]),
        ({"act": "task_retried"}, [old]),
        ({"outcome": ActOutcome.REFUSED}, [refused]),
        ({"since": NOW - timedelta(hours=1)}, [foreign, refused]),
        ({"until": NOW - timedelta(hours=1)}, [old]),
    ]
    for wanted, records in expected:
        assert records == [one.record for one in await _lines(audit, **wanted)], wanted
    for order, numbers in ((AuditOrder.NEWEST, [3, 2, 1]), (AuditOrder.OLDEST, [1, 2, 3])):
        found, cursor = [], None
        while True:
            page = await audit.page(AuditQuery(order=order, limit=2, cursor=cursor))
            found += [one.seq for one in page.lines]
            cursor = page.cursor
            if cursor is None:
                break
        assert numbers == found


async def test_a_policy_that_many_see_is_recorded_once(audit: AuditStore) -> None:
    """Replicas report each version; back to an earlier one is another change."""
    versions = ["a", "a", "b", "b", "a"]
    policies = [act(act=Act.POLICY_CHANGED.value, after=version, tenant="~system") for version in versions]
    assert [1, 0, 1, 0, 1] == [await audit.add([one]) for one in policies]
    assert ["a", "b", "a"] == [one.after for one in await _lines(audit)]


async def test_an_erased_reason_leaves_the_chain(audit: AuditStore) -> None:
    """The line has its digest still, and verifies; reasons of other tenants are not seen."""
    await audit.add([act(reason="Jane Roe asked"), act(reason="theirs", tenant="t"), act()])
    assert [(1, "Jane Roe asked")] == await audit.reasons("default", 0, 10)
    assert (1, 0) == (await audit.erase_reasons([1]), await audit.erase_reasons([1]))
    lines = await _lines(audit)
    assert [None, "theirs", None] == [one.reason for one in lines]
    assert lines[0].reason_digest is not None
    assert 3 == verify_chain(lines).seq


TAMPERED = {
    "changed": ("UPDATE {}audit SET record = replace(record, 'client', 'cli') WHERE seq = 3", 3),
    "not JSON": ("UPDATE {}audit SET record = 'x' WHERE seq = 4", 4),
    "removed": ("DELETE FROM {}audit WHERE seq = 2", 2),
    "inserted": (
        "INSERT INTO {0}audit (seq, previous, hash, record, act_id, outcome, act, at_us, tenant)"
        " SELECT 6, previous, hash, record, 'x', outcome, act, at_us, tenant FROM {0}audit WHERE seq = 5",
        6,
    ),
    "reason": ("UPDATE {}audit_reasons SET reason = 'another' WHERE seq = 5", 5),
    "truncated": ("DELETE FROM {}audit WHERE seq = 5", 5),
}


@pytest.mark.parametrize("how", TAMPERED)
@pytest.mark.parametrize("scheme", ["sqlite", "postgresql"])
async def test_tampering_is_found(request: pytest.FixtureRequest, tmp_path: Path, scheme: str, how: str) -> None:
    """Whoever can write rows changes, removes or inserts a line: its number is named. A cut end needs a kept head."""
    kind = with_server(KINDS[scheme], request)
    statement, number = TAMPERED[how]
    async with kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{scheme}:")) as store:
        audit = build_audit_store(store)
        await audit.prepare()
        await audit.add([act(reason=f"reason {index}") for index in range(5)])
        kept = await audit.head()
        prefix = "" if scheme == "sqlite" else "vestibule."
        with pytest.raises(Unavailable):
            await _run(store, f"DELETE FROM {prefix}audit")
        for trigger in ("audit_no_update", "audit_no_delete") if scheme == "sqlite" else ("audit_append_only",):
            await _run(store, f"DROP TRIGGER {trigger}" + ("" if scheme == "sqlite" else " ON vestibule.audit"))
        assert kept == verify_chain(await _lines(audit), kept)
        await _run(store, statement.format(prefix))
        lines = await _lines(audit)
    with pytest.raises(ChainBroken) as broken:
        verify_chain(lines, kept)
    assert number == broken.value.seq


async def _run(store: Any, statement: str) -> None:
    if isinstance(store, SqliteStore):
        await store.file.change(lambda connection: connection.execute(statement).rowcount)
    else:
        await store.connections.change(statement)


@pytest.mark.parametrize("scheme", ["sqlite", "postgresql"])
async def test_services_that_add_at_the_same_time_make_one_chain(
    request: pytest.FixtureRequest, tmp_path: Path, scheme: str
) -> None:
    """Two database services on one database: no line is lost or twice, and the chain has no fork."""
    kind = with_server(KINDS[scheme], request)
    settings = DatabaseSettings(data_dir=tmp_path, database_url=f"{scheme}:")
    async with kind.build(settings) as first, kind.build(settings) as second:
        audits = [build_audit_store(one) for one in (first, second)]
        for audit in audits:
            await audit.prepare()
        shared = [act() for _ in range(20)]
        mixed = [audits[number % 2].add([act(), shared[number % 20]]) for number in range(80)]
        assert 100 == sum(await asyncio.gather(*mixed))
        lines = await _lines(audits[0])
    assert 100 == verify_chain(lines).seq
    assert 100 == len({one.act_id for one in lines})


async def test_a_restored_backup_verifies_and_goes_on(tmp_path: Path) -> None:
    """Up to its own last line; a head that was kept later shows that lines are missing."""
    path, backup = tmp_path / "vestibule.db", tmp_path / "backup.db"
    kind = KINDS["sqlite"]
    settings = DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:")

    @asynccontextmanager
    async def opened() -> AsyncIterator[AuditStore]:
        async with kind.build(settings) as store:
            found = build_audit_store(store)
            await found.prepare()
            yield found

    async with opened() as audit:
        await audit.add([act(), act()])
        await asyncio.to_thread(back_up, path, backup, lambda *_: None)
        await audit.add([act()])
        later = await audit.head()
    restore(backup, path, lambda *_: None)
    async with opened() as audit:
        kept = await _lines(audit)
        assert verify_chain(kept) == await audit.head()
        assert 2 == len(kept)
        with pytest.raises(ChainBroken):
            verify_chain(kept, later)
        await audit.add([act()])
        assert [1, 2, 3] == [one.seq for one in await _lines(audit)]
        assert verify_chain(await _lines(audit)) == await audit.head()
