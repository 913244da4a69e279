"""Creates the table of the DynamoDB store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vestibule.database_service.entries.dynamodb.calls import FAILURES, DynamoDbAddress, DynamoDbCalls, code_of
from vestibule.database_service.entries.dynamodb.items import EXPIRES, EXPIRY_GROUP, EXPIRY_INDEX, KEY, PARTITION, PURGE
from vestibule.database_service.entries.store import StoreRefused
from vestibule.database_service.settings import DatabaseSettings

KEYS = {PARTITION: "S", KEY: "S", EXPIRY_GROUP: "S", EXPIRES: "N"}


async def create_table(client: Any, name: str) -> bool:
    """Create the table, paid per request, with its index and its time to live; False where it exists."""
    try:
        await client.describe_table(TableName=name)
    except client.exceptions.ResourceNotFoundException:
        await client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in KEYS.items()],
            KeySchema=_key_schema(PARTITION, KEY),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": EXPIRY_INDEX,
                    "KeySchema": _key_schema(EXPIRY_GROUP, EXPIRES),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        await client.get_waiter("table_exists").wait(TableName=name)
        specification = {"Enabled": True, "AttributeName": PURGE}
        await client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
        return True
    return False


def _key_schema(partition: str, order: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}]


async def migrate(settings: DatabaseSettings) -> bool:
    """Make the table; False where it exists.

    Raises:
        StoreRefused: it cannot be made.
    """
    address = DynamoDbAddress.parse(settings.database_url)
    async with _connected(address, settings) as client:
        return await create_table(client, address.table)


async def check(settings: DatabaseSettings) -> list[str]:
    """Return what is wrong with the table.

    Raises:
        StoreRefused: DynamoDB cannot be asked.
    """
    address = DynamoDbAddress.parse(settings.database_url)
    async with _connected(address, settings) as client:
        try:
            table = (await client.describe_table(TableName=address.table))["Table"]
        except client.exceptions.ResourceNotFoundException:
            return ["the table is not there; `vestibule db migrate` makes it"]
        lifetime = (await client.describe_time_to_live(TableName=address.table))["TimeToLiveDescription"]
    faults = [] if table["TableStatus"] == "ACTIVE" else [f"the table is {table['TableStatus']}"]
    if EXPIRY_INDEX not in {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}:
        faults.append(f"the table has no index `{EXPIRY_INDEX}`: nothing would expire")
    if lifetime.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        faults.append("the table has no time to live, so tombstones are never removed")
    return faults


@asynccontextmanager
async def _connected(address: DynamoDbAddress, settings: DatabaseSettings) -> AsyncIterator[Any]:
    try:
        async with DynamoDbCalls(address, settings.database_timeout_s) as calls:
            yield calls.client
    except FAILURES as error:
        raise StoreRefused(
            f"the table {address.table} cannot be used ({code_of(error) or type(error).__name__})"
        ) from error
