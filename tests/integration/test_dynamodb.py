"""What the DynamoDB store does when it is throttled, is not answered, or is asked for more than DynamoDB takes."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from servers.dynamodb import DynamoDbServer
from vestibule.contracts.entries import Condition
from vestibule.contracts.errors import PreconditionFailed, TooLarge, Unavailable
from vestibule.database_service.entries.dynamodb_calls import DynamoDbAddress, DynamoDbCalls
from vestibule.database_service.entries.store import Store, StoreRefused, Write
from vestibule.database_service.main import build_store
from vestibule.database_service.settings import DatabaseSettings

PATIENT_S = 60
Refuse = Callable[[web.Request, str], Awaitable[web.Response | None]]


@asynccontextmanager
async def opened(url: str, folder: Path, timeout_s: float = PATIENT_S) -> AsyncIterator[Store]:
    chosen = DatabaseSettings(database_url=url, database_timeout_s=timeout_s, data_dir=folder)
    async with build_store(chosen) as store:
        yield store


@asynccontextmanager
async def proxy_before(server: DynamoDbServer, url: str, refuse: Refuse) -> AsyncIterator[str]:
    """Give a URL that leads through a proxy, which passes on what `refuse` does not answer itself."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        target = request.headers["X-Amz-Target"].rpartition(".")[2]
        if (answer := await refuse(request, target)) is not None:
            return answer
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with session.post(server.endpoint, data=body, headers=headers) as passed:
            return web.Response(
                status=passed.status, body=await passed.read(), content_type="application/x-amz-json-1.0"
            )

    async with ClientSession() as session:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield url.replace(server.endpoint, f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()


def throttled() -> web.Response:
    return web.json_response(
        {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "slow down"},
        status=400,
        content_type="application/x-amz-json-1.0",
    )


async def test_a_throttled_write_is_not_overtaken(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """Writes of one key that came together keep their order, also where the first of them has to be tried again."""
    refused: list[str] = []

    async def refuse(request: web.Request, target: str) -> web.Response | None:
        is_first = target == "UpdateItem" and not refused and b64encode(b"first") in await request.read()
        refused.extend([target] * is_first)
        return throttled() if is_first else None

    url = dynamodb_server.table_url(str(tmp_path))
    async with proxy_before(dynamodb_server, url, refuse) as throttling, opened(throttling, tmp_path) as store:
        writes = [Write("a", "first"), Write("b", "x"), Write("a", "second"), Write("a", "third")]
        assert [1, 1, 2, 3] == await store.write_each(writes)
        entry = await store.read("a")
        assert (["UpdateItem"], "third") == (refused, entry and entry.value)


async def test_throttled_calls_are_tried_again(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """Each call is refused twice; every write is made once, reads and batches get through."""
    refusals: dict[str, int] = {}

    async def refuse(_request: web.Request, target: str) -> web.Response | None:
        refusals[target] = refusals.get(target, 0) + 1
        return throttled() if refusals[target] % 3 else None

    url = dynamodb_server.table_url(str(tmp_path))
    async with proxy_before(dynamodb_server, url, refuse) as throttling, opened(throttling, tmp_path) as store:
        assert [1, 2, 3] == [await store.write(Write("a", str(number))) for number in range(3)]
        assert [4, 1] == await store.write_many([Write("a", "x"), Write("b", "x")])
        entries = await store.read_many(["a", "b", "c"])
        assert [4, 1, None] == [entry and entry.version for entry in entries]
        with pytest.raises(PreconditionFailed):
            await store.write(Write("a", "y", condition=Condition.of_version(1)))


async def test_throttling_without_end_is_told_in_time(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """It is said what it is, and that nothing was written."""

    async def refuse(_request: web.Request, _target: str) -> web.Response | None:
        return throttled()

    url = dynamodb_server.table_url(str(tmp_path))
    async with proxy_before(dynamodb_server, url, refuse) as throttling, opened(throttling, tmp_path, 0.5) as store:
        with pytest.raises(Unavailable, match=r"throttled\. Nothing was written"):
            await store.write(Write("a", "x"))
        with pytest.raises(Unavailable, match="throttled"):
            await store.read("a")


async def test_an_update_without_an_answer_is_not_repeated(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """It may have been made, so it is made no second time, and the caller is told that it is not known."""
    asked: list[str] = []

    async def refuse(_request: web.Request, target: str) -> web.Response | None:
        asked.append(target)
        return web.Response(status=500) if target == "UpdateItem" else None

    url = dynamodb_server.table_url(str(tmp_path))
    async with proxy_before(dynamodb_server, url, refuse) as failing, opened(failing, tmp_path) as store:
        with pytest.raises(Unavailable, match="may have been written"):
            await store.write(Write("a", "x"))
    assert 1 == asked.count("UpdateItem")


async def test_a_frozen_dynamodb_is_said_to_be_away(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """No call waits longer than it may."""
    is_over = asyncio.Event()

    async def refuse(_request: web.Request, _target: str) -> web.Response | None:
        await is_over.wait()
        return web.Response(status=500)

    url = dynamodb_server.table_url(str(tmp_path))
    async with proxy_before(dynamodb_server, url, refuse) as frozen, opened(frozen, tmp_path, 0.5) as store:
        async with asyncio.timeout(PATIENT_S):
            outcomes = await asyncio.gather(store.read("a"), store.write(Write("a", "x")), return_exceptions=True)
        is_over.set()
    assert {Unavailable} == {type(outcome) for outcome in outcomes}


async def test_the_limits_of_dynamodb_are_told(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """A value or a batch beyond them is refused before anything is written."""
    async with opened(dynamodb_server.table_url(str(tmp_path)), tmp_path) as store:
        with pytest.raises(TooLarge, match="390,000 bytes"):
            await store.write(Write("a", "x" * 390_001))
        with pytest.raises(TooLarge, match="at most 100 entries"):
            await store.write_many([Write(f"k{number}", "x") for number in range(101)])
        with pytest.raises(TooLarge, match="at most 100 entries"):
            await store.read_many([f"k{number}" for number in range(101)])
        assert [] == (await store.keys("", 10, None)).keys


async def test_tenants_have_partitions_of_their_own(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """Keys of many tenants are listed in order, page by page, by tenant and all together."""
    keys = sorted([*(f"t{tenant}/k{number}" for tenant in range(3) for number in range(3)), "t1", "zz", "t1 x/y"])
    async with opened(dynamodb_server.table_url(str(tmp_path)), tmp_path) as store:
        for key in keys:
            await store.write(Write(key, "x"))
        for prefix in ("", "t", "t1", "t1/", "t1/k2", "none"):
            found: list[str] = []
            cursor: str | None = None
            while True:
                page = await store.keys(prefix, 2, cursor)
                found += page.keys
                cursor = page.cursor
                if cursor is None:
                    break
            assert [key for key in keys if key.startswith(prefix)] == found


async def test_a_table_that_is_not_there_is_told(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """No table is made where nobody asked for one."""
    url = f"dynamodb://none?region=eu-central-1&endpoint={dynamodb_server.endpoint}"
    with pytest.raises(StoreRefused, match="create it with `vestibule db migrate`"):
        await opened(url, tmp_path).__aenter__()


async def test_a_table_with_other_keys_is_told(dynamodb_server: DynamoDbServer, tmp_path: Path) -> None:
    """It belongs to another program, and nothing is written into it."""
    url = dynamodb_server.table_url(str(tmp_path))
    async with DynamoDbCalls(DynamoDbAddress.parse(url), PATIENT_S) as calls:
        await calls.client.create_table(
            TableName="others",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    other = f"dynamodb://others?region=eu-central-1&endpoint={dynamodb_server.endpoint}"
    with pytest.raises(StoreRefused, match="the table others has other keys"):
        await opened(other, tmp_path).__aenter__()
