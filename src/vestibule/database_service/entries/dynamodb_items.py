"""The items and condition expressions of entries in DynamoDB.

The key of an item is its partition, which is the tenant, and the whole key of the entry, sorted by UTF-8 bytes. The
item of a deleted or expired entry stays without the content, so that its versions continue; DynamoDB removes it some
time after `purge_at`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vestibule.contracts.entries import ANY, Condition, Entry, Tags
from vestibule.contracts.errors import TooLarge
from vestibule.database_service.entries.store import Write

PARTITION, KEY = "partition_name", "entry_key"
CONTENT, VERSION, EXPIRES, PURGE = "content", "version_number", "expires_at_us", "purge_at"
# Only items that expire have it: the index for sweeps.
EXPIRY_GROUP, EXPIRY_INDEX = "expiry_group", "expiry"
EXPIRING = {"S": "expiring"}
PLAIN_PARTITION, PARTITIONS = "-", "#"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PRESENT = f"(attribute_exists({CONTENT}) AND (attribute_not_exists({EXPIRES}) OR {EXPIRES} > :now))"
REMOVE_CONTENT = f"SET {PURGE} = :purge REMOVE {CONTENT}, {EXPIRES}, {EXPIRY_GROUP}"
KEPT_AFTER_END = timedelta(days=30)
# DynamoDB stores items of 400 kB, names and numbers included.
MAX_CONTENT_BYTES = 390_000
# The most operands of one IN in DynamoDB.
MAX_OPERANDS = 100

Item = Mapping[str, Any]


def partition_of(key: str) -> str:
    """Return the partition of a key: `tenant/` for the keys of a tenant."""
    tenant, separator, _ = key.partition("/")
    return tenant + separator if separator else PLAIN_PARTITION


def place_of(key: str) -> Item:
    """Return the primary key of an item."""
    return {PARTITION: {"S": partition_of(key)}, KEY: {"S": key}}


def microseconds_of(moment: datetime) -> int:
    """Return a time as a number that DynamoDB can compare exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def number(value: int) -> Item:
    """Return a number in the format of DynamoDB."""
    return {"N": str(value)}


def now() -> Item:
    """Return the current time in the format of DynamoDB."""
    return number(microseconds_of(datetime.now(UTC)))


def entry_of(item: Item | None) -> Entry | None:
    """Return the entry of an item, None where it is deleted or expired."""
    if version_of(item) is None or item is None:
        return None
    return Entry(
        key=item[KEY]["S"],
        value=bytes(item[CONTENT]["B"]).decode(),
        version=int(item[VERSION]["N"]),
        expires_at=_expiry_of(item),
    )


def version_of(item: Item | None) -> int | None:
    """Return the version of the entry of an item, None where it is deleted or expired."""
    if not item or CONTENT not in item:
        return None
    expires_at = _expiry_of(item)
    if expires_at is not None and expires_at <= datetime.now(UTC):
        return None
    return int(item[VERSION]["N"])


def content_of(value: str) -> Item:
    """Return a value as stored; raises `TooLarge` where DynamoDB does not store items of that size."""
    content = value.encode()
    if len(content) > MAX_CONTENT_BYTES:
        raise TooLarge(f"This store accepts values of at most {MAX_CONTENT_BYTES:,} bytes, encrypted and encoded.")
    return {"B": content}


def purge_at(end: datetime) -> Item:
    """Return when DynamoDB may remove the tombstone of an entry that ended at `end`, in Unix seconds."""
    return number(int((end + KEPT_AFTER_END).timestamp()))


def update_of(write: Write) -> tuple[str, dict[str, Item]]:
    """Return the update expression of a write, and its values."""
    values = {":content": content_of(write.value), ":zero": number(0), ":one": number(1)}
    update = f"SET {VERSION} = if_not_exists({VERSION}, :zero) + :one, {CONTENT} = :content"
    if write.expires_at is None:
        return f"{update} REMOVE {EXPIRES}, {EXPIRY_GROUP}, {PURGE}", values
    ending = {f":{name}": value for name, value in _ending(write.expires_at).items()}
    return ", ".join([update, *(f"{name} = :{name}" for name in _ending(write.expires_at))]), {**values, **ending}


def item_of(write: Write, seen: Item | None) -> Item:
    """Return the item of a write, given the item read before."""
    version = int(seen[VERSION]["N"]) + 1 if seen else 1
    ending = {} if write.expires_at is None else _ending(write.expires_at)
    return {**place_of(write.key), VERSION: number(version), CONTENT: content_of(write.value), **ending}


def put_of(table: str, item: Item, seen: Item | None) -> Item:
    """Return the transaction step that puts an item, if it has not changed since it was read."""
    put = {"TableName": table, "Item": item}
    if not seen:
        return {"Put": {**put, "ConditionExpression": f"attribute_not_exists({KEY})"}}
    is_there = "attribute_exists" if CONTENT in seen else "attribute_not_exists"
    condition = f"{VERSION} = :seen AND {is_there}({CONTENT})"
    return {"Put": {**put, "ConditionExpression": condition, "ExpressionAttributeValues": {":seen": seen[VERSION]}}}


def condition_on(condition: Condition) -> tuple[str | None, dict[str, Item]]:
    """Return a condition as an expression, and its values; None without a condition."""
    values: dict[str, Item] = {}
    parts = []
    if condition.match is not None:
        parts.append(_is_one_of(condition.match, "match", values))
    if condition.none_match is not None:
        parts.append(f"NOT {_is_one_of(condition.none_match, 'none', values)}")
    return " AND ".join(parts) or None, values


def _is_one_of(tags: Tags, name: str, values: dict[str, Item]) -> str:
    if ANY in tags:
        return PRESENT
    versions = [text for tag in sorted(tags) if (text := tag.strip('"')).isascii() and text.isdecimal()]
    if not versions:
        return "attribute_exists(never_there)"
    places = [f":{name}{place}" for place in range(len(versions))]
    values.update({place: {"N": version} for place, version in zip(places, versions, strict=True)})
    groups = [places[start : start + MAX_OPERANDS] for start in range(0, len(places), MAX_OPERANDS)]
    any_of = " OR ".join(f"{VERSION} IN ({', '.join(group)})" for group in groups)
    return f"({PRESENT} AND ({any_of}))"


def _ending(expires_at: datetime) -> dict[str, Item]:
    return {EXPIRES: number(microseconds_of(expires_at)), EXPIRY_GROUP: EXPIRING, PURGE: purge_at(expires_at)}


def _expiry_of(item: Item) -> datetime | None:
    return EPOCH + timedelta(microseconds=int(item[EXPIRES]["N"])) if EXPIRES in item else None
