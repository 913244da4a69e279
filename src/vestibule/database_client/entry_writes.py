"""Plain writes to the database service: pending ones share a request (`runtime/batching.py`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from vestibule.contracts.entries import Pair, Written
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.write_batches import MAX_WRITES
from vestibule.runtime.batching import Batcher
from vestibule.service_kit.service_client import ServiceClient

PART = "database"
# The most characters of one request; a longer value goes alone.
HEAVIEST = 400_000


@dataclass(frozen=True, slots=True)
class _Write:
    principal: Principal
    pair: Pair
    request_id: str | None

    def as_body(self) -> dict[str, Any]:
        body = {
            "key": self.pair.key,
            "value": self.pair.value,
            "ttl_s": self.pair.ttl_s,
            "tenant": self.principal.tenant,
            "sender": self.principal.token_id,
            "request_id": self.request_id,
        }
        return {name: value for name, value in body.items() if value is not None}


class EntryWriter:
    """Writes pairs of all tenants. A single one goes at once, as a request of its own."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer
        self._batcher = Batcher(
            self._write,
            most=MAX_WRITES,
            weigh=lambda write: len(write.pair.value),
            heaviest=HEAVIEST,
            timeout_s=peer.timeout_s / 2,
        )

    async def write(self, pair: Pair, principal: Principal) -> Written:
        """Write a pair and return its version; it is on disk then.

        Raises:
            Unavailable: the database service does not confirm it.
        """
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        outcome = await self._batcher.submit(_Write(principal, pair, request_id))
        if (problem := outcome.get("problem")) is not None:
            raise Unavailable(PART, problem)
        expires_at = outcome.get("expires_at")
        return Written(
            key=pair.key,
            version=outcome["version"],
            expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        )

    async def _write(self, writes: list[_Write]) -> list[dict[str, Any]]:
        if len(writes) == 1:
            return [await self._write_one(writes[0])]
        answer = await self._peer.call(
            "POST", "/write/independent", body={"writes": [write.as_body() for write in writes]}
        )
        outcomes: list[dict[str, Any]] = _expect_ok(answer.status, answer.body)["outcomes"]
        return outcomes

    async def _write_one(self, write: _Write) -> dict[str, Any]:
        body = write.pair.model_dump(exclude_none=True)
        answer = await self._peer.call("POST", "/write", body=body, headers=write.principal.as_headers())
        written: dict[str, Any] = _expect_ok(answer.status, answer.body)
        return written


def _expect_ok(status: int, body: Any) -> Any:
    # Every value was validated by the same rules before, so a refusal means that the two services are incompatible.
    if status != 200:
        raise Unavailable(PART, f"The database service refused the request ({status}).")
    return body
