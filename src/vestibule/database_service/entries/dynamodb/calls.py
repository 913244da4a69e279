"""Calls of DynamoDB: bounded in time, and tried again where that is safe."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from types import TracebackType
from typing import Any, Self

import structlog
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from vestibule.contracts.errors import TooLarge, Unavailable
from vestibule.database_service.entries.dynamodb.address import DynamoDbAddress
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
_REASONS = {
    "ResourceNotFoundException": "the table does not exist; `vestibule db migrate` makes it",
    "AccessDeniedException": "the credentials do not allow it",
    "UnrecognizedClientException": "the credentials are not known",
    **dict.fromkeys(_THROTTLED, "it is throttled"),
}
_OF_MANY_TABLES = {"batch_get_item", "transact_get_items", "transact_write_items"}
FAILURES = (ClientError, BotoCoreError, OSError, TimeoutError)


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

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client = None
        await self._open.aclose()

    @property
    def client(self) -> Any:
        """The client itself, for calls that are not about entries."""
        if self._client is None:
            raise RuntimeError("a store is used inside its own context")
        return self._client

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
        said: Exception | None = None
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
                    said = error
                # Without time for another call, the last answer says more than a timeout.
                took_s = time.monotonic() - began
                if not may_repeat or time.monotonic() + wait_s + 2 * took_s >= end:
                    raise self._unavailable((is_harmless and said) or error) from error
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
