"""Makes and examines the table of the DynamoDB store, from the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vestibule.database_service.entries.dynamodb.address import DynamoDbAddress
from vestibule.database_service.entries.dynamodb.calls import FAILURES, DynamoDbCalls, code_of
from vestibule.database_service.entries.dynamodb.items import EXPIRY_INDEX
from vestibule.database_service.entries.dynamodb.table import create_table
from vestibule.database_service.entries.store import StoreRefused
from vestibule.database_service.settings import DatabaseSettings


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
