"""Creates the table of the DynamoDB store."""

from typing import Any

from vestibule.database_service.entries.dynamodb.items import EXPIRES, EXPIRY_GROUP, EXPIRY_INDEX, KEY, PARTITION, PURGE

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
