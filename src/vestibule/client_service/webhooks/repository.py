"""Pending webhooks, in the store until they are delivered."""

import hashlib
import time
from dataclasses import dataclass

from pydantic import BaseModel

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import MAX_BATCH, Pair
from vestibule.contracts.errors import PreconditionFailed
from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import NewTask
from vestibule.database_client.entries import EntryClient

OWNER = Principal("~callbacks")
PREFIX = "callback/"
# A webhook expires this long after it was due.
KEEP_S = 8 * 86_400.0
FIRST_CHECK_AFTER_S = 0.5


class PendingWebhook(BaseModel):
    """A webhook to deliver; the address is stored encrypted, as every value is."""

    task_id: str
    tenant: str
    url: str
    asked_at: float
    next_at: float
    attempts: int = 0
    first_tried_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A webhook as it was last read."""

    key: str
    pending: PendingWebhook
    version: int


class WebhookRepository:
    """Stores webhooks. Every method raises `Unavailable` if the store does not answer.

    Several instances read it; a conditional write of the version claims a webhook until it is due again.
    """

    def __init__(self, database: EntryClient) -> None:
        self._database = database
        self._known: dict[str, StoredWebhook] = {}

    async def add(self, task: NewTask, url: str) -> None:
        """Store the webhook of a task; it is on disk when this returns."""
        now = time.time()
        due_at = now + FIRST_CHECK_AFTER_S + (task.due_in_s if task.sent_at is None else 0.0)
        pending = PendingWebhook(task_id=task.task_id, tenant=task.tenant, url=url, asked_at=now, next_at=due_at)
        key = f"{PREFIX}{task.task_id}/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        await self._database.write(_pair(key, pending))

    async def due(self) -> tuple[list[StoredWebhook], int]:
        """Return the webhooks that are due, and the number of all pending ones."""
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
        # Another instance may have claimed or delivered it since it was read.
        await self._read(due)
        current = [self._known[key] for key in due if key in self._known]
        return [known for known in current if known.pending.next_at <= now], len(keys)

    async def claim(self, known: StoredWebhook, changed: PendingWebhook) -> StoredWebhook | None:
        """Claim a webhook by storing its changed form; None if another instance has claimed it."""
        try:
            written = await self._database.write(_pair(known.key, changed), Condition.of_version(known.version))
        except PreconditionFailed:
            self._known.pop(known.key, None)
            return None
        claimed = self._known[known.key] = StoredWebhook(known.key, changed, written.version)
        return claimed

    async def remove(self, known: StoredWebhook) -> None:
        """Delete a webhook."""
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
