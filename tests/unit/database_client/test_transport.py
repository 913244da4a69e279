"""The client of the database service, over the service itself: one transport, and named errors for every refusal."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import BatchPair, Pair
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed, TooLarge, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring
from vestibule.service_kit.service_client import ServiceClient, ServiceResponse

SECRET = "s" * 43
CALLER = Principal("north", "t1")
ABSENT = Condition.of_version(0)


class LocalPeer(ServiceClient):
    """Calls a service in this process, and counts the calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._timeout_s = 60
        self.calls: Counter[str] = Counter()

    async def call(  # type: ignore[override]
        self, method: str, path: str, *, query: Any = None, body: Any = None, headers: Any = None, **_: Any
    ) -> ServiceResponse:
        self.calls[path] += 1
        answer = await self._client.request(method, path, params=query, json=body, headers=headers)
        return ServiceResponse(answer.status_code, answer.json())


class CannedPeer(LocalPeer):
    """Holds the first calls until it may answer, then accepts single writes and answers batches with its outcomes."""

    def __init__(self, outcomes: list[dict[str, Any]]) -> None:
        self._timeout_s = 60
        self._outcomes = outcomes
        self.may_answer = asyncio.Event()

    async def call(self, _method: str, path: str, **_: Any) -> ServiceResponse:  # type: ignore[override]
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
    assert sum(peer.calls.values()) <= 4
    for client in clients:
        assert [pair.value for pair in sorted(pairs, key=lambda pair: pair.key)] == [
            entry.value for entry in await client.read_all("")
        ]


async def test_each_write_of_a_shared_request_has_its_own_outcome() -> None:
    """One that fails does not affect the others, and fails by the name that the service gives."""
    outcomes = [
        {"version": 7},
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
    assert [1, 1, 7] == [getattr(result, "version", None) for result in results[:3]]
