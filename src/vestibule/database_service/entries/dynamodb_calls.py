"""Calls DynamoDB with timeouts, and with retries where they are safe; creates and checks the table."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import structlog
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from vestibule.contracts.errors import TooLarge, Unavailable
from vestibule.database_service.entries.dynamodb_items import EXPIRES, EXPIRY_GROUP, EXPIRY_INDEX, KEY, PARTITION, PURGE
from vestibule.database_service.entries.store import StoreRefused
from vestibule.database_service.settings import DatabaseSettings
from vestibule.runtime.background import Backoff, Jitter

MAX_CONNECTIONS = 50
FIRST_SERVER_ERROR = 500
RETRY_BACKOFF = Backoff(first_s=0.02, longest_s=0.5, jitter=Jitter.EQUAL)
# Refused before anything was written.
_THROTTLED = frozenset(
    {
        *("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "Throttling"),
        *("TransactionInProgressException", "TransactionConflictException"),
    }
)
# Reasons for which a canceled transaction can be retried.
_CONFLICTS = {None, "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_CREATE = "create it with `vestibule db migrate`"
_REASONS = {
    "ResourceNotFoundException": f"the table does not exist; {_CREATE}",
    "AccessDeniedException": "the credentials do not allow it",
    "UnrecognizedClientException": "the credentials are not known",
    **dict.fromkeys(_THROTTLED, "it is throttled"),
}
_OF_MANY_TABLES = {"batch_get_item", "transact_get_items", "transact_write_items"}
FAILURES = (ClientError, BotoCoreError, OSError, TimeoutError)


OPTIONS = {"region", "endpoint"}
KEYS = {PARTITION: "S", KEY: "S", EXPIRY_GROUP: "S", EXPIRES: "N"}


@dataclass(frozen=True, slots=True)
class DynamoDbAddress:
    """A table, its region and endpoint; credentials come from the usual sources of AWS."""

    table: str
    region: str | None = None
    endpoint: str | None = None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse `dynamodb://TABLE?region=REGION`, with `endpoint=URL` for another DynamoDB than that of AWS.

        Raises:
            ValueError: it has an unknown option.
        """
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := options.keys() - OPTIONS:
            raise ValueError(f"the URL of a DynamoDB store has no option `{min(unknown)}`")
        return cls(parts.netloc or parts.path.strip("/"), **options)


class DynamoDbCalls:
    """A client of DynamoDB. Every call ends within `timeout_s`, retries included.

    A call raises `refusal` where a condition does not hold; its `response` has the item.
    """

    refusal = ClientError

    def __init__(self, address: DynamoDbAddress, timeout_s: float) -> None:
        self.table = address.table
        self._address = address
        self._timeout_s = timeout_s
        self._open = AsyncExitStack()
        self._client: Any = None
        self._log = structlog.get_logger("vestibule.store")

    async def __aenter__(self) -> Self:
        config = AioConfig(
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            max_pool_connections=MAX_CONNECTIONS,
            # Retries are decided here: an update without an answer may have been applied.
            retries={"total_max_attempts": 1},
        )
        client = get_session().create_client(
            "dynamodb", region_name=self._address.region, endpoint_url=self._address.endpoint, config=config
        )
        self._client = await self._open.enter_async_context(client)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._client = None
        await self._open.aclose()

    @property
    def client(self) -> Any:
        """The client itself, for calls that are not about entries."""
        if self._client is None:
            raise RuntimeError("a store is used inside its own context")
        return self._client

    async def check_table(self) -> None:
        """Check the table at the start, where DynamoDB answers and the credentials allow it.

        Raises:
            StoreRefused: the table does not exist, or has other keys or indexes.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                table = (await self.client.describe_table(TableName=self.table))["Table"]
        except FAILURES as error:
            if code_of(error) == "ResourceNotFoundException":
                raise StoreRefused(f"the table {self.table} does not exist; {_CREATE}") from error
            self._log.warning("store_unreachable", address=self.table, error=code_of(error) or type(error).__name__)
            return
        if faults := faults_of(table):
            raise StoreRefused(f"{faults[0]}; name another table, which `vestibule db migrate` creates")

    async def read(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a read; retry as long as there is time.

        Raises:
            Unavailable: there was no answer in time.
        """
        return await self._repeat(method, parameters, is_harmless=True)

    async def change(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a write; retry only where it was refused before anything was written.

        Raises:
            refusal: a condition does not hold.
            Unavailable: it is not confirmed.
        """
        return await self._repeat(method, parameters, is_harmless="ClientRequestToken" in parameters)

    async def _repeat(self, method: str, parameters: dict[str, Any], *, is_harmless: bool) -> dict[str, Any]:
        call: Callable[..., Awaitable[dict[str, Any]]] = getattr(self.client, method)
        named = parameters if method in _OF_MANY_TABLES else {"TableName": self.table, **parameters}
        end = time.monotonic() + self._timeout_s
        last_answer: Exception | None = None
        for attempts in count(1):
            began = time.monotonic()
            try:
                async with asyncio.timeout(max(0.001, end - time.monotonic())):
                    return await call(**named)
            except FAILURES as error:
                if _is_refusal(error):
                    raise
                if code_of(error) == "ValidationException" and "size" in str(error):
                    raise TooLarge("The values are too large for one request to the store.") from error
                wait_s = RETRY_BACKOFF.delay_s(attempts)
                may_repeat = _is_throttled(error) or (is_harmless and not _is_lasting(error))
                if code_of(error):
                    last_answer = error
                # Without time for another call, the last answer says more than a timeout.
                took_s = time.monotonic() - began
                if not may_repeat or time.monotonic() + wait_s + 2 * took_s >= end:
                    raise self._unavailable((is_harmless and last_answer) or error) from error
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable")

    def _unavailable(self, error: Exception) -> Unavailable:
        code = code_of(error)
        self._log.error("store_call_failed", error=code or type(error).__name__)
        reason = _REASONS.get(code, "it failed" if code else "it did not answer in time")
        is_refused = code in _REASONS or _is_lasting(error)
        written = "Nothing was written." if is_refused else "It may have been written; read the entry again."
        return Unavailable("database", f"The store is unavailable: {reason}. {written}")


def code_of(error: Exception) -> str:
    """Return the error code of DynamoDB, empty where it did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _is_refusal(error: Exception) -> bool:
    is_single = code_of(error) == "ConditionalCheckFailedException"
    return is_single or "ConditionalCheckFailed" in _reasons_of(error)


def _is_throttled(error: Exception) -> bool:
    reasons = _reasons_of(error)
    return code_of(error) in _THROTTLED or (bool(reasons) and reasons <= _CONFLICTS)


def _is_lasting(error: Exception) -> bool:
    """Say whether DynamoDB refuses the call permanently."""
    if not isinstance(error, ClientError):
        return False
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)) < FIRST_SERVER_ERROR


def _reasons_of(error: Exception) -> set[str | None]:
    """Return why a transaction was canceled, nothing for other errors."""
    if not isinstance(error, ClientError) or code_of(error) != "TransactionCanceledException":
        return set()
    return {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}


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


def faults_of(table: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the keys and the index of a table, as DynamoDB describes it."""
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    name, faults = table["TableName"], []
    if not _has_keys(table, kinds, PARTITION, KEY):
        faults.append(f"the table {name} has other keys than `{PARTITION}` and `{KEY}`")
    indexes = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", [])}
    if EXPIRY_INDEX not in indexes:
        faults.append(f"the table {name} has no index `{EXPIRY_INDEX}`: entries would not expire")
    elif not _has_keys(indexes[EXPIRY_INDEX], kinds, EXPIRY_GROUP, EXPIRES):
        faults.append(f"the index `{EXPIRY_INDEX}` of the table {name} has other keys")
    return faults


def _has_keys(described: Mapping[str, Any], kinds: Mapping[str, str], partition: str, order: str) -> bool:
    expected = [
        (key["AttributeName"], key["KeyType"], KEYS[key["AttributeName"]]) for key in _key_schema(partition, order)
    ]
    return expected == [
        (key["AttributeName"], key["KeyType"], kinds.get(key["AttributeName"])) for key in described["KeySchema"]
    ]


def _key_schema(partition: str, order: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}]


async def migrate(settings: DatabaseSettings) -> bool:
    """Create the table; False where it exists."""
    address = DynamoDbAddress.parse(settings.database_url)
    async with _connected(address, settings) as client:
        return await create_table(client, address.table)


async def check(settings: DatabaseSettings) -> list[str]:
    """Return the faults of the table."""
    address = DynamoDbAddress.parse(settings.database_url)
    async with _connected(address, settings) as client:
        try:
            table = (await client.describe_table(TableName=address.table))["Table"]
        except client.exceptions.ResourceNotFoundException:
            return [f"the table does not exist; {_CREATE}"]
        lifetime = (await client.describe_time_to_live(TableName=address.table))["TimeToLiveDescription"]
    faults = [] if table["TableStatus"] == "ACTIVE" else [f"the table is {table['TableStatus']}"]
    faults += faults_of(table)
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
