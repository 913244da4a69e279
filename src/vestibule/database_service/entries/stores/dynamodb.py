"""The store that AWS runs: entries in a DynamoDB table, for one database service, whose tasks are in a file beside."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from vestibule.contracts.entries import ALWAYS, Condition, Entry, KeyPage
from vestibule.contracts.errors import PreconditionFailed, TooLarge, Unavailable
from vestibule.database_service.entries.dynamodb_items import (
    CONTENT,
    EXPIRES,
    EXPIRING,
    EXPIRY_GROUP,
    EXPIRY_INDEX,
    KEY,
    PARTITION,
    PARTITIONS,
    PLAIN_PARTITION,
    PRESENT,
    REMOVE_CONTENT,
    VERSION,
    Item,
    condition_on,
    content_of,
    entry_of,
    item_of,
    now,
    number,
    partition_of,
    place_of,
    purge_at,
    put_of,
    update_of,
    version_of,
)
from vestibule.database_service.entries.ledger_claim import LedgerClaim
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import (
    NoHistoryMixin,
    OperationNote,
    StoreAdministration,
    StoreKind,
    Write,
    check_condition,
    entries_by_key,
    invalid_cursor,
)
from vestibule.database_service.settings import DatabaseSettings

if TYPE_CHECKING:
    from vestibule.database_service.entries.dynamodb_calls import DynamoDbCalls

# DynamoDB takes transactions of 100 items.
MAX_TOGETHER = 100
MAX_ATTEMPTS = 20
FIRST_CHARACTER, LAST_CHARACTER = "\1", "\U0010ffff"
SWEEPS_AT_ONCE = 25


class DynamoDbStore(NoHistoryMixin):
    """Entries in a DynamoDB table; a batch has at most 100 entries, and a stored value at most 390 kB."""

    def __init__(self, calls: "DynamoDbCalls", task_file: Path) -> None:
        self._calls = calls
        self._known_partitions: set[str] = set()
        # The task ledger of this one service: in DynamoDB each of its frequent operations would be a call to AWS.
        self.task_file = SqliteFile(task_file, lambda _connection: None)
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._parts.enter_async_context(self._calls)
            await self._calls.check_table()
            await self._parts.enter_async_context(self.task_file)
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._parts.aclose()

    @property
    def ledger_claim(self) -> LedgerClaim:
        """Which ledger the table belongs to."""
        return LedgerClaim(self.task_file.path)

    async def is_in_place(self) -> bool:
        """Say whether the file of tasks is where it was opened."""
        return await self.task_file.is_in_place()

    def lost_commits(self) -> Mapping[str, int]:
        """Return what the file of tasks lacks of its last commit."""
        return self.task_file.last_commit.lost

    async def write(self, write: Write) -> int:
        """Write a pair; return its version. There is no history, so the author is not stored."""
        await self._record_partition(write.key)
        stated, values = condition_on(write.condition)
        update, content = update_of(write)
        item = await self._update(write.key, update, stated, {**values, **content})
        return int(item[VERSION]["N"])

    async def write_each(self, writes: Sequence[Write]) -> Sequence[int | BaseException]:
        """Write pairs, each on its own; return the version or the error of each."""
        places: dict[str, list[int]] = {}
        for index, write in enumerate(writes):
            places.setdefault(write.key, []).append(index)
        outcomes: list[int | BaseException] = [0] * len(writes)

        async def write_in_turn(indexes: list[int]) -> None:
            # Writes of one key keep their order; the last one is the value.
            for index in indexes:
                (outcomes[index],) = await asyncio.gather(self.write(writes[index]), return_exceptions=True)

        await asyncio.gather(*map(write_in_turn, places.values()))
        return outcomes

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes` with `note` or nothing; return their versions."""
        keys = [write.key for write in writes] + ([] if note is None else [note.key])
        if len(keys) > MAX_TOGETHER:
            raise TooLarge(f"This store writes at most {MAX_TOGETHER} entries in one request; send fewer at once.")
        for key in {partition_of(key): key for key in keys}.values():
            await self._record_partition(key)
        for _ in range(MAX_ATTEMPTS):
            seen = await self._get(keys)
            for index, write in enumerate(writes):
                check_condition(write, version_of(seen.get(write.key)), index)
            items = [item_of(write, seen.get(write.key)) for write in writes]
            versions = [int(item[VERSION]["N"]) for item in items]
            if note is not None:
                note.check_absent(version_of(seen.get(note.key)), len(writes))
                items.append(item_of(note.as_write(versions), seen.get(note.key)))
            if await self._put_all([put_of(self._calls.table, item, seen.get(item[KEY]["S"])) for item in items]):
                return versions
        raise Unavailable("database", "Write conflict: too many concurrent writers. Nothing was written.")

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        found = await self._calls.read("get_item", Key=place_of(key), ConsistentRead=True)
        return entry_of(found.get("Item"))

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        asked = list(dict.fromkeys(keys))
        if len(asked) > MAX_TOGETHER:
            raise TooLarge(f"This store reads at most {MAX_TOGETHER} entries in one request; read fewer at once.")
        places = [{"Get": {"TableName": self._calls.table, "Key": place_of(key)}} for key in asked]
        found = await self._calls.read("transact_get_items", TransactItems=places) if places else {"Responses": []}
        entries = (entry_of(response.get("Item")) for response in found["Responses"])
        held = entries_by_key(entry for entry in entries if entry is not None)
        return [held.get(key) for key in keys]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of that version; False where the version is another by now."""
        condition = f"{PRESENT} AND {VERSION} = :version"
        values = {":content": content_of(value), ":version": number(version)}
        return await self._update_if(key, f"SET {CONTENT} = :content", condition, values)

    async def delete(
        self,
        key: str,
        *,
        condition: Condition = ALWAYS,
        author: str | None = None,  # noqa: ARG002 - there is no history that would name it
    ) -> bool:
        """Remove the value under `key`; False where there was none."""
        expression, values = condition_on(condition)
        stated = f"{PRESENT} AND {expression}" if expression else PRESENT
        try:
            await self._update(key, REMOVE_CONTENT, stated, {**values, ":purge": purge_at(datetime.now(UTC))})
        except PreconditionFailed as refusal:
            version = refusal.extra["current_version"]
            if version is None and condition.allows(None):
                return False
            raise
        return True

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired."""
        found = await self._calls.read(
            "query",
            IndexName=EXPIRY_INDEX,
            KeyConditionExpression=f"{EXPIRY_GROUP} = :group AND {EXPIRES} <= :now",
            ExpressionAttributeValues={":group": EXPIRING, ":now": now()},
            Limit=limit,
        )
        keys = [item[KEY]["S"] for item in found["Items"]]
        swept = 0
        for start in range(0, len(keys), SWEEPS_AT_ONCE):
            swept += sum(await asyncio.gather(*map(self._expire, keys[start : start + SWEEPS_AT_ONCE])))
        return swept

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        first, *others = await self._partitions_of(prefix)
        found = await self._keys_in(first, prefix, limit + 1, after or "")
        in_order: list[str] = []
        for partition in others:
            is_behind = after is not None and partition < after and not after.startswith(partition)
            if not is_behind and len(in_order) <= limit:
                in_order += await self._keys_in(partition, prefix, limit + 1, after or "")
        found = sorted([*found, *in_order])
        return KeyPage(keys=found[:limit], cursor=found[limit - 1] if len(found) > limit else None)

    async def ended(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return deleted and swept keys with `prefix`, among `limit` keys of its partition."""
        if after is not None and not after.startswith(prefix):
            raise invalid_cursor()
        partition = partition_of(prefix)
        start = {} if after is None else {"ExclusiveStartKey": place_of(after)}
        page = await self._calls.read(
            "query",
            ConsistentRead=True,
            KeyConditionExpression=f"{PARTITION} = :partition AND begins_with({KEY}, :prefix)",
            FilterExpression=f"attribute_not_exists({CONTENT})",
            ProjectionExpression=KEY,
            ExpressionAttributeValues={":partition": {"S": partition}, ":prefix": {"S": prefix}},
            Limit=limit,
            **start,
        )
        last = page.get("LastEvaluatedKey")
        return KeyPage(keys=[item[KEY]["S"] for item in page["Items"]], cursor=last and last[KEY]["S"])

    async def erase(self, key: str) -> bool:
        """Remove the item of a key; False where there is none."""
        answer = await self._calls.change("delete_item", Key=place_of(key), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    async def scrub(self) -> None:
        """Empty the write-ahead log of the tasks."""
        await self.task_file.truncate_log()

    async def _partitions_of(self, prefix: str) -> list[str]:
        """Return the partitions that may hold keys with `prefix`: the plain one or the only one, then the others."""
        own = partition_of(prefix)
        if own != PLAIN_PARTITION:
            return [own]
        return [own, *(name for name in await self._keys_in(PARTITIONS, prefix, None, "") if name != own)]

    async def _keys_in(self, partition: str, prefix: str, limit: int | None, after: str) -> list[str]:
        values = {
            ":partition": {"S": partition},
            ":first": {"S": max(prefix, after, FIRST_CHARACTER)},
            ":last": {"S": prefix + LAST_CHARACTER},
        }
        if values[":first"]["S"] > values[":last"]["S"]:
            return []
        found: list[str] = []
        page: dict[str, Any] = {}
        while limit is None or len(found) < limit:
            page = await self._calls.read(
                "query",
                ConsistentRead=True,
                KeyConditionExpression=f"{PARTITION} = :partition AND {KEY} BETWEEN :first AND :last",
                FilterExpression=PRESENT,
                ProjectionExpression=KEY,
                ExpressionAttributeValues={**values, ":now": now()},
                **({"ExclusiveStartKey": page["LastEvaluatedKey"]} if page else {}),
                **({} if limit is None else {"Limit": limit - len(found) + 1}),
            )
            found += [item[KEY]["S"] for item in page["Items"] if item[KEY]["S"] > after]
            if "LastEvaluatedKey" not in page:
                break
        return found if limit is None else found[:limit]

    async def _record_partition(self, key: str) -> None:
        """Record the partition of `key`, since DynamoDB cannot list partitions."""
        name = partition_of(key)
        if name in self._known_partitions:
            return
        item = {PARTITION: {"S": PARTITIONS}, KEY: {"S": name}, CONTENT: {"B": b""}, VERSION: number(1)}
        await self._calls.change("put_item", Item=item)
        self._known_partitions.add(name)

    async def _get(self, keys: Sequence[str]) -> dict[str, Item]:
        """Return the items of at most a hundred keys, each as of its own read."""
        table = self._calls.table
        found: dict[str, Item] = {}
        asked: dict[str, Any] = {table: {"Keys": [place_of(key) for key in keys], "ConsistentRead": True}}
        while asked:
            page = await self._calls.read("batch_get_item", RequestItems=asked)
            found.update({item[KEY]["S"]: item for item in page["Responses"].get(table, [])})
            asked = page.get("UnprocessedKeys", {})
        return found

    async def _put_all(self, puts: list[Item]) -> bool:
        """Put all items if none has changed since it was read; False where one has."""
        try:
            # With a token DynamoDB applies the change once, however often it is sent.
            await self._calls.change("transact_write_items", TransactItems=puts, ClientRequestToken=str(uuid4()))
        except self._calls.refusal:
            return False
        return True

    async def _expire(self, key: str) -> bool:
        condition = f"attribute_exists({CONTENT}) AND {EXPIRES} <= :now"
        return await self._update_if(key, REMOVE_CONTENT, condition, {":purge": purge_at(datetime.now(UTC))})

    async def _update_if(self, key: str, update: str, condition: str, values: dict[str, Item]) -> bool:
        try:
            await self._update(key, update, condition, values)
        except PreconditionFailed:
            return False
        return True

    async def _update(self, key: str, update: str, condition: str | None, values: dict[str, Item]) -> Item:
        stated = {} if condition is None else {"ConditionExpression": condition}
        named = {**values, ":now": now()}
        try:
            answer = await self._calls.change(
                "update_item",
                Key=place_of(key),
                UpdateExpression=update,
                # DynamoDB refuses values that no expression names.
                ExpressionAttributeValues={name: named[name] for name in named if name in f"{update} {condition}"},
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **stated,
            )
        except self._calls.refusal as refusal:
            raise PreconditionFailed(version_of(refusal.response.get("Item"))) from None
        attributes: Item = answer.get("Attributes", {})
        return attributes


def build(settings: DatabaseSettings) -> DynamoDbStore:
    """Return the store in the table that the URL names.

    Raises:
        ValueError: the URL has an invalid option.
    """
    # Loaded here, since other stores do not need the client.
    from vestibule.database_service.entries.dynamodb_calls import DynamoDbAddress, DynamoDbCalls  # noqa: PLC0415

    calls = DynamoDbCalls(DynamoDbAddress.parse(settings.database_url), settings.database_timeout_s)
    return DynamoDbStore(calls, settings.data_dir / "tasks.db")


def administration() -> StoreAdministration:
    """Return what migrates and checks the store; it is loaded for the command line alone."""
    from vestibule.database_service.entries import dynamodb_calls  # noqa: PLC0415

    return dynamodb_calls


STORE = StoreKind(
    "dynamodb", "A DynamoDB table of AWS, for one database service, which keeps the tasks.", build, administration
)
