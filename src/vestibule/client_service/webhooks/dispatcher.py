"""Delivers webhooks: a signed POST to the caller's address when a task has ended, with retries for a day.

Pending webhooks are in the store until they are delivered.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.task_status import describe
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.entries import MAX_BATCH, Condition, Pair
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import LedgerTask, NewTask
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.egress.guard import DeliveryFailed, signature_headers
from vestibule.runtime.background import Backoff, Jitter, in_background, repeat
from vestibule.runtime.shares import Shares

OWNER = Principal("~callbacks")
PREFIX = "callback/"
# Of webhooks that were delivered or given up, without their address.
ENDED = "ended/"
MOST_OF_TASK = 20
# A webhook expires this long after it was due.
KEEP_S = 8 * 86_400.0
FIRST_CHECK_AFTER_S = 0.5
POLL_INTERVAL_S = 0.5
# While many are pending, polls are further apart, so that listing stays a small part of the work.
PENDING_PER_S = 1_000
MAX_CONCURRENT = 16
# Deliveries have threads of their own. A receiver that hangs holds what its tenant may have with one host, a tenant
# that has many of those holds half.
THREADS = 32
MOST_PER_TENANT = 16
MOST_PER_HOST = 8
# So many of a tenant to one host wait for their turn; further ones stay in the store.
MOST_WAITING = 64
# A running task is checked at intervals that grow with its age, up to this one.
MAX_CHECK_INTERVAL_S = 30.0
# The backoff is added to the shortest delay.
SHORTEST_RETRY_S = 2.0
RETRY_BACKOFF = Backoff(first_s=2.0, longest_s=3600.0, factor=3.0, jitter=Jitter.EQUAL)
# A webhook that was recorded without its task: the request was rejected or failed.
ORPHAN_AFTER_S = 60.0


class PendingWebhook(BaseModel):
    """A webhook to deliver; the address is stored encrypted, as every value is."""

    task_id: str
    tenant: str
    url: str
    asked_at: float
    next_at: float
    attempts: int = 0
    first_tried_at: float | None = None

    @property
    def receiver(self) -> tuple[str, str]:
        """The tenant, and the host and port that it named."""
        return self.tenant, urlsplit(self.url).netloc


class WebhookState(BaseModel):
    """What became of a webhook: `pending`, `delivered` or `given_up`, and since when."""

    state: str
    at: float
    attempts: int


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
        self._records = RecordReader(PendingWebhook)
        self._ended = RecordReader(WebhookState)
        self._known: dict[str, StoredWebhook] = {}

    async def add(self, task: NewTask, url: str) -> None:
        """Store the webhook of a task; it is on disk when this returns."""
        now = time.time()
        due_at = now + FIRST_CHECK_AFTER_S + (task.due_in_s if task.sent_at is None else 0.0)
        pending = PendingWebhook(task_id=task.task_id, tenant=task.tenant, url=url, asked_at=now, next_at=due_at)
        key = f"{PREFIX}{task.task_id}/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        await self._database.write(_pair(key, pending))

    async def due(self, without: Container[str] = ()) -> tuple[list[StoredWebhook], int]:
        """Return the webhooks that are due, but for some keys, and the number of all pending ones."""
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
        due = [one.key for one in self._known.values() if one.pending.next_at <= now and one.key not in without]
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

    async def end(self, known: StoredWebhook, state: str) -> None:
        """Delete a webhook that was delivered or given up, and keep for a while which of them it was."""
        ended = WebhookState(state=state, at=time.time(), attempts=known.pending.attempts)
        key = ENDED + known.key.removeprefix(PREFIX)
        await self._database.write(Pair(key=key, value=ended.model_dump_json(), ttl_s=KEEP_S))
        await self.remove(known)

    async def states_of(self, task_id: str) -> list[WebhookState]:
        """Return the state of each webhook of a task."""
        found = []
        for prefix in (ENDED, PREFIX):
            page = await self._database.keys(f"{prefix}{task_id}/", MOST_OF_TASK, None)
            for entry in await self._database.read_readable(page.keys):
                if entry is None:
                    continue
                if prefix == ENDED:
                    found.append(self._ended.read(entry))
                elif (pending := self._records.read(entry)) is not None:
                    at = pending.first_tried_at or pending.asked_at
                    found.append(WebhookState(state="pending", at=at, attempts=pending.attempts))
        return [one for one in found if one is not None]

    async def _read(self, keys: list[str]) -> None:
        for start in range(0, len(keys), MAX_BATCH):
            some = keys[start : start + MAX_BATCH]
            for key, entry in zip(some, await self._database.read_readable(some), strict=True):
                self._known.pop(key, None)
                if entry is not None and (pending := self._records.read(entry)) is not None:
                    self._known[key] = StoredWebhook(key, pending, entry.version)


def _pair(key: str, pending: PendingWebhook) -> Pair:
    return Pair(key=key, value=pending.model_dump_json(), ttl_s=max(0.0, pending.next_at - time.time()) + KEEP_S)


class WebhookDispatcher:
    """Delivers pending webhooks. Several instances can run: one at a time claims each webhook."""

    def __init__(
        self,
        repository: WebhookRepository,
        ledger: TaskLedgerClient,
        rules: WebhookRules,
        alerts: AlertEngine,
        on_attempt: Callable[[str], None],
    ) -> None:
        self._repository = repository
        self._ledger = ledger
        self._rules = rules
        self._alerts = alerts
        self._on_attempt = on_attempt
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._threads = ThreadPoolExecutor(THREADS, "callback")
        self._host_shares, self._tenant_shares = Shares(MOST_PER_HOST), Shares(MOST_PER_TENANT)
        # The deliveries that have begun or wait for their turn.
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._receivers: Counter[tuple[str, str]] = Counter()
        # Until when a receiver wants to be left alone.
        self._paused: dict[tuple[str, str], float] = {}
        self._log = structlog.get_logger("vestibule.callbacks")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver in the background; a delivery that is cut off at the end is retried by another instance or later."""
        loop = repeat(self._step, on_error=self._log_error, outages=(Unavailable,), error_pause_s=POLL_INTERVAL_S)
        async with in_background(loop):
            yield
        for delivery in self._deliveries.values():
            delivery.cancel()
        await self.finish_deliveries()

    async def _step(self) -> float:
        return max(POLL_INTERVAL_S, await self.dispatch_due() / PENDING_PER_S)

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which is logged elsewhere; nothing is lost
            self._log.error("callback_dispatch_failed", exc_info=error)

    async def dispatch_due(self) -> int:
        """Begin to deliver the webhooks that are due, and return how many are pending."""
        due, pending = await self._repository.due(self._deliveries)
        # One that cannot be processed now delays no other.
        outcomes = await asyncio.gather(*(self._process(webhook) for webhook in due), return_exceptions=True)
        for error in filter(None, outcomes):
            raise error
        return pending

    async def finish_deliveries(self) -> None:
        """Return when the deliveries that have begun are over."""
        await asyncio.gather(*self._deliveries.values(), return_exceptions=True)

    async def _process(self, webhook: StoredWebhook) -> None:
        if self._receivers[webhook.pending.receiver] >= MOST_WAITING:
            return
        async with self._slots:
            # The receiver learns how the task ended, also where its result cannot be decrypted.
            now = time.time()
            paused_until = self._paused.pop(webhook.pending.receiver, now)
            if paused_until > now:
                self._paused[webhook.pending.receiver] = paused_until
                await self._repository.claim(webhook, webhook.pending.model_copy(update={"next_at": paused_until}))
                return
            task = await self._ledger.find_any(webhook.pending.task_id)
            if task is not None and task.state.is_end:
                self._begin(webhook, task)
            elif task is None and now - webhook.pending.asked_at > ORPHAN_AFTER_S:
                await self._repository.remove(webhook)
            else:
                again_s = min(max(now - webhook.pending.asked_at, POLL_INTERVAL_S), MAX_CHECK_INTERVAL_S)
                await self._repository.claim(webhook, webhook.pending.model_copy(update={"next_at": now + again_s}))

    def _begin(self, webhook: StoredWebhook, task: LedgerTask) -> None:
        receiver = webhook.pending.receiver
        delivery = asyncio.create_task(self._deliver_in_turn(webhook, task))
        self._deliveries[webhook.key] = delivery
        self._receivers[receiver] += 1

        def end(_delivery: "asyncio.Task[None]") -> None:
            del self._deliveries[webhook.key]
            self._receivers[receiver] -= 1
            if not self._receivers[receiver]:
                del self._receivers[receiver]

        delivery.add_done_callback(end)

    async def _deliver_in_turn(self, webhook: StoredWebhook, task: LedgerTask) -> None:
        receiver = webhook.pending.receiver
        try:
            # The host first: what waits for a slow one takes nothing from the tenant's other receivers.
            async with self._host_shares.of(receiver), self._tenant_shares.of(receiver[0]):
                await self._deliver(webhook, task, time.time())
        except Exception as error:  # noqa: BLE001 - it is retried when it is due again
            self._log_error(error)

    async def _deliver(self, webhook: StoredWebhook, task: LedgerTask, now: float) -> None:
        attempts = webhook.pending.attempts + 1
        changed = webhook.pending.model_copy(
            update={
                "attempts": attempts,
                "next_at": now + SHORTEST_RETRY_S + RETRY_BACKOFF.delay_s(attempts),
                "first_tried_at": webhook.pending.first_tried_at or now,
            }
        )
        # Claimed before it is sent: after a crash it is retried, and by one instance only.
        claimed = await self._repository.claim(webhook, changed)
        if claimed is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._post, claimed.pending, task)
        except DeliveryFailed as error:
            await self._reschedule(claimed, task, error)
            return
        self._on_attempt("delivered")
        self._log.info("callback_delivered", task_id=task.task_id, attempts=attempts, **_origin_of(task))
        await self._repository.end(claimed, "delivered")

    def _post(self, pending: PendingWebhook, task: LedgerTask) -> None:
        # Without what needs a token to read.
        hidden = {"result", "request_id", "token_id", "token_name"}
        status = describe(task).model_dump(mode="json", exclude=hidden, exclude_none=True)
        body = json.dumps({**status, "status_url": f"/tasks/{task.task_id}"}).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": task.task_id,
            **signature_headers(self._rules.key_of(pending.tenant).encode(), body),
        }
        try:
            self._rules.guard.post(pending.url, body, headers)
        except (ValueError, RuntimeError) as error:
            raise DeliveryFailed(type(error).__name__) from error

    async def _reschedule(self, webhook: StoredWebhook, task: LedgerTask, error: DeliveryFailed) -> None:
        pending, origin = webhook.pending, _origin_of(task)
        self._log.warning(
            "callback_not_delivered", task_id=pending.task_id, reason=str(error), attempts=pending.attempts, **origin
        )
        paused_until = time.time() + error.retry_after_s
        if error.retry_after_s:
            self._paused[pending.receiver] = paused_until
        if pending.next_at - (pending.first_tried_at or pending.next_at) < self._rules.give_up_after_s:
            self._on_attempt("failed")
            if paused_until > pending.next_at:
                await self._repository.claim(webhook, pending.model_copy(update={"next_at": paused_until}))
            return
        self._on_attempt("given_up")
        self._log.error("callback_abandoned", task_id=pending.task_id, attempts=pending.attempts, **origin)
        await self._repository.end(webhook, "given_up")
        await self._alerts.raise_alert(
            AlertType.DELIVERY_FAILING,
            f"The webhook of task {pending.task_id} was not delivered in {pending.attempts} attempts.",
            subject="callbacks",
            task_id=pending.task_id,
            tenant=pending.tenant,
            request_id=task.request_id,
            token_id=task.token_id,
            token_name=task.token_name,
        )


def _origin_of(task: LedgerTask) -> dict[str, str | None]:
    return {"request_id": task.request_id, "token_id": task.token_id, "token_name": task.token_name}
