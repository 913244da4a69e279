"""The client of the database service, over the service itself: one transport, and named errors for every refusal."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from httpx import ASGITransport, AsyncClient

from servers.peers import LocalPeer
from vestibule.contracts.entries import BatchPair, Condition, Pair
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed, TooLarge, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import EraseRequest
from vestibule.contracts.task_ledger import NewTask, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient, in_batches
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring
from vestibule.service_kit.service_client import ServiceResponse

SECRET = "s" * 43
CALLER = Principal("north", "t1")
ABSENT = Condition.of_version(0)


class CannedPeer(LocalPeer):
    """Holds the first calls until it may answer, then accepts single writes and answers batches with its outcomes."""

    def __init__(self, outcomes: list[dict[str, Any]]) -> None:
        self._timeout_s = 60
        self._outcomes = outcomes
        self.may_answer = asyncio.Event()
        self.sent: list[tuple[str, str | None]] = []

    async def call(self, _method: str, path: str, *, body: Any, **_: Any) -> ServiceResponse:  # type: ignore[override]
        self.sent.append((path, body.get("key")))
        await self.may_answer.wait()
        return ServiceResponse(200, {"outcomes": self._outcomes} if path == "/write/independent" else {"version": 1})


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[LocalPeer]:
    """The running service, with a key ring and a secret."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    app = create_app(DatabaseSettings(data_dir=tmp_path, embedded=True))
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
    ):
        yield LocalPeer(client)


@pytest.fixture
def entries(peer: LocalPeer) -> EntryClient:
    """The entries of one caller."""
    return EntryClient(DatabaseTransport(peer), CALLER)


async def test_entries_are_written_read_listed_and_deleted(entries: EntryClient) -> None:
    """Versions count, absent entries are None or an error by name, and all pages are read."""
    assert [1, 2] == [(await entries.write(Pair(key="a", value=value))).version for value in "xy"]
    assert ["1", "2"] == [str(one.version) for one in reversed((await entries.history("a")).revisions)]
    assert [one.value for one in await entries.read_all("")] == ["y"]
    assert (await entries.find("a"), await entries.find("b")) == (await entries.read("a"), None)
    assert [True, False] == [(await entries.delete("a")).deleted for _ in range(2)]
    for missing in (entries.read("a"), entries.history("never")):
        with pytest.raises(KeyNotFound):
            await missing


async def test_a_value_that_cannot_be_decrypted_hides_no_other(entries: EntryClient, tmp_path: Path) -> None:
    """Services read what is left, a subject is erased from it, and a caller who asks for all of it is told."""
    for key in ("a", "b", "c"):
        await entries.write(Pair(key=key, value=f"of jane@example.org in {key}"))
    file = sqlite3.connect(tmp_path / "vestibule.db", isolation_level=None)
    file.execute("UPDATE entries SET value = 'torn' WHERE key = 'north/b'")
    file.close()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert ["a", "c"] == [entry.key for entry in await entries.read_all("")]
    assert 1 == [line["event"] for line in lines].count("value_not_decrypted")
    with pytest.raises(Unavailable):
        await entries.read_many(["a", "b"])
    subject = EraseRequest(value="jane@example.org", tenants=["north"])
    assert 2 == (await entries.erase(subject, 10, None)).erased
    assert (await entries.delete("b")).deleted


async def test_refusals_are_named_errors(entries: EntryClient, peer: LocalPeer) -> None:
    """A condition that does not hold says the version and the place; a request that does not fit is `Unavailable`."""
    await entries.write(Pair(key="a", value="x"))
    with pytest.raises(PreconditionFailed) as single:
        await entries.write(Pair(key="a", value="y"), ABSENT)
    assert {"current_version": 1} == single.value.extra
    with pytest.raises(PreconditionFailed) as batch:
        await entries.write_batch([BatchPair(key="b", value="y"), BatchPair(key="a", value="y", expected_version=7)])
    assert {"current_version": 1, "index": 1} == batch.value.extra
    with pytest.raises(Unavailable, match=r"refused the request \(422\)"):
        await DatabaseTransport(peer).send("POST", "/write", body={"key": ""})


async def test_an_operation_writes_once(entries: EntryClient) -> None:
    """A repetition gets the first outcome."""
    outcomes = [await entries.write(Pair(key="a", value=value), operation="once") for value in "xy"]
    assert outcomes[0] == outcomes[1]
    assert "x" == (await entries.read("a")).value


async def test_concurrent_plain_writes_share_requests(peer: LocalPeer) -> None:
    """Of all tenants; each is written under its own, and those with an expiry have it."""
    transport = DatabaseTransport(peer)
    clients = [EntryClient(transport, Principal(tenant)) for tenant in ("north", "south")]
    pairs = [Pair(key=f"k{number}", value=str(number), ttl_s=100 if number % 2 else None) for number in range(40)]
    written = await asyncio.gather(*(client.write(pair) for pair in pairs for client in clients))
    assert {1} == {one.version for one in written}
    assert [one.expires_at is not None for one in written] == [pair.ttl_s is not None for pair in pairs for _ in "ab"]
    assert sum(peer.calls.values()) <= 3
    for client in clients:
        assert [pair.value for pair in sorted(pairs, key=lambda pair: pair.key)] == [
            entry.value for entry in await client.read_all("")
        ]


async def test_each_write_of_a_shared_request_has_its_own_outcome() -> None:
    """One that fails does not affect the others, and fails by the name that the service gives."""
    outcomes = [
        {"version": 7},
        {"version": 8},
        {"problem": "too-large", "detail": "Too large."},
        {"problem": "unavailable", "detail": "The disk is full."},
    ]
    peer = CannedPeer(outcomes)
    client = EntryClient(DatabaseTransport(peer), CALLER)
    writes = [asyncio.create_task(client.write(Pair(key=f"k{number}", value=""))) for number in range(5)]
    await asyncio.sleep(0)
    peer.may_answer.set()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [Unavailable, TooLarge] == [type(results[4]), type(results[3])]
    assert [1, 7, 8] == [getattr(result, "version", None) for result in results[:3]]


async def test_a_small_write_does_not_wait_for_large_ones() -> None:
    """It is answered although the request of a large value is under way, and others wait behind it."""
    peer = CannedPeer([])
    client = EntryClient(DatabaseTransport(peer), CALLER)
    large = [asyncio.create_task(client.write(Pair(key=f"k{number}", value="x" * 100_000))) for number in range(2)]
    await asyncio.sleep(0)
    small = asyncio.create_task(client.write(Pair(key="k", value="x" * 4096)))
    await asyncio.sleep(0)
    assert [("/write", "k0"), ("/write", "k")] == peer.sent
    peer.may_answer.set()
    assert [1, 1, 1] == [one.version for one in await asyncio.gather(small, *large)]


async def test_a_neighbours_control_characters_refuse_nobody(entries: EntryClient, peer: LocalPeer) -> None:
    """A control character takes six bytes on the way: such values share no request that the service refuses."""
    ledger = TaskLedgerClient(DatabaseTransport(peer))
    long = "\x01" * 160_000
    outcomes = await asyncio.gather(
        *(entries.write(Pair(key=f"k{number}", value=value)) for value in (long, "short") for number in range(12)),
        *(ledger.accept(_task(data)) for data in (long, "short") for _ in range(12)),
        return_exceptions=True,
    )
    assert [] == [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


async def test_what_is_too_large_by_itself_is_its_own_error(entries: EntryClient, peer: LocalPeer) -> None:
    """Whoever comes with it is served."""
    ledger = TaskLedgerClient(DatabaseTransport(peer))
    huge = "\x01" * 700_000
    outcomes = await asyncio.gather(
        *(entries.write(Pair(key=f"k{number}", value=value)) for number, value in enumerate(("a", "b", huge, "c"))),
        *(ledger.accept(_task(data)) for data in ("a", "b", huge, "c")),
        return_exceptions=True,
    )
    assert [2, 6] == [place for place, outcome in enumerate(outcomes) if isinstance(outcome, TooLarge)]
    assert 2 == sum(isinstance(outcome, BaseException) for outcome in outcomes)


def test_changes_are_divided_by_their_encoded_size() -> None:
    """A large one is alone, small ones are together, and their order stays."""
    sizes = [1, 1, 100_000, 100_000, 700_000, 1, 1]
    changes = [
        TaskChange(task_id=str(number), from_states=[], state=TaskState.SUCCEEDED, result="\x01" * size)
        for number, size in enumerate(sizes)
    ]
    batches = [[change.task_id for change in batch] for batch in in_batches(changes)]
    assert [["0", "1", "2"], ["3"], ["4"], ["5", "6"]] == batches
    assert [] == list(in_batches([]))


def _task(data: str) -> NewTask:
    task_id = str(uuid4())
    return NewTask(task_id=task_id, tenant="t1", processor="uppercase", data=data, submitted_at=0, due_in_s=60)
