"""The callbacks that are owed: whom to tell of which task's end, in the store, until they were told."""

import hashlib
import time
from dataclasses import dataclass

from pydantic import BaseModel

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import MAX_BATCH, Pair
from vestibule.contracts.errors import PreconditionFailed
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient

OWNER = Principal("~callbacks")
PREFIX = "callback/"
# What nobody came for within this time after it was due is forgotten.
KEEP_S = 8 * 86_400.0
FIRST_CHECK_AFTER_S = 0.5


class PendingWebhook(BaseModel):
    """A callback: the address is kept sealed as every value is."""

    task_id: str
    tenant: str
    url: str
    asked_at: float
    next_at: float
    attempts: int = 0
    first_tried_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A callback as it was last read."""

    key: str
    pending: PendingWebhook
    version: int


class WebhookRepository:
    """Keeps callbacks. Every method raises `Unavailable` where the store does not answer.

    Several doors read it; who changes an entry on the condition of its version has it to itself until it is due again.
    """

    def __init__(self, database: EntryClient) -> None:
        self._database = database
        self._known: dict[str, StoredWebhook] = {}

    async def add(self, task_id: str, tenant: str, url: str, delay_s: float) -> None:
        """Keep a callback; it is on disk then."""
        now = time.time()
        pending = PendingWebhook(
            task_id=task_id, tenant=tenant, url=url, asked_at=now, next_at=now + delay_s + FIRST_CHECK_AFTER_S
        )
        key = f"{PREFIX}{task_id}/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        await self._database.write(_pair(key, pending))

    async def due(self) -> tuple[list[StoredWebhook], int]:
        """Return the callbacks whose time has come, and how many there are in all."""
        keys: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._database.keys(PREFIX, MAX_BATCH, cursor)
            keys += page.keys
            cursor = page.cursor
            if cursor is None:
                break
        self._known = {key: self._known[key] for key in keys if key in self._known}
        await self._read([key for key in keys if key not in self._known])
        now = time.time()
        due = [known.key for known in self._known.values() if known.pending.next_at <= now]
        # Another door may have claimed it, or told it, since it was read.
        await self._read(due)
        return [self._known[key] for key in due if key in self._known and self._known[key].pending.next_at <= now], len(
            keys
        )

    async def claim(self, known: StoredWebhook, changed: PendingWebhook) -> StoredWebhook | None:
        """Put a changed callback in place of one; None where another door has changed it."""
        try:
            written = await self._database.write(_pair(known.key, changed), Condition.of_version(known.version))
        except PreconditionFailed:
            self._known.pop(known.key, None)
            return None
        claimed = self._known[known.key] = StoredWebhook(known.key, changed, written.version)
        return claimed

    async def remove(self, known: StoredWebhook) -> None:
        """Forget a callback that is not owed any more."""
        self._known.pop(known.key, None)
        await self._database.delete(known.key)

    async def _read(self, keys: list[str]) -> None:
        for start in range(0, len(keys), MAX_BATCH):
            some = keys[start : start + MAX_BATCH]
            for key, entry in zip(some, await self._database.read_many(some), strict=True):
                self._known.pop(key, None)
                if entry is not None:
                    self._known[key] = StoredWebhook(
                        key, PendingWebhook.model_validate_json(entry.value), entry.version
                    )


def _pair(key: str, pending: PendingWebhook) -> Pair:
    return Pair(key=key, value=pending.model_dump_json(), ttl_s=max(0.0, pending.next_at - time.time()) + KEEP_S)
