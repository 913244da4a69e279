"""Delivers webhooks: a signed POST to the caller's address when a task has ended, with retries for a day."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.task_status import describe
from vestibule.client_service.webhooks.repository import PendingWebhook, StoredWebhook, WebhookRepository
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.egress.guard import DeliveryFailed, signature_headers
from vestibule.runtime.background import Backoff, Jitter, in_background, repeat

POLL_INTERVAL_S = 0.5
# While many are pending, polls are further apart, so that listing stays a small part of the work.
PENDING_PER_S = 1_000
MAX_CONCURRENT = 16
# A task is checked again after as long as it has taken so far.
MAX_CHECK_INTERVAL_S = 30.0
# The backoff is added to the shortest delay.
SHORTEST_RETRY_S = 2.0
RETRY_BACKOFF = Backoff(first_s=2.0, longest_s=3600.0, factor=3.0, jitter=Jitter.EQUAL)
# A webhook that was recorded without its task: the request was rejected or failed.
ORPHAN_AFTER_S = 60.0

WebhookObserver = Callable[[str], None]


class WebhookDispatcher:
    """Delivers pending webhooks. Several instances can run: one at a time claims each webhook."""

    def __init__(
        self,
        repository: WebhookRepository,
        ledger: TaskLedgerClient,
        rules: WebhookRules,
        alerts: AlertEngine,
        on_attempt: WebhookObserver,
    ) -> None:
        self._repository = repository
        self._ledger = ledger
        self._rules = rules
        self._alerts = alerts
        self._on_attempt = on_attempt
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._log = structlog.get_logger("vestibule.callbacks")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver in the background; a delivery that is cut off at the end is retried by another instance or later."""
        loop = repeat(self._step, on_error=self._log_error, outages=(Unavailable,), error_pause_s=POLL_INTERVAL_S)
        async with in_background(loop):
            yield

    async def _step(self) -> float:
        return max(POLL_INTERVAL_S, await self.dispatch_due() / PENDING_PER_S)

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which is logged elsewhere; nothing is lost
            self._log.error("callback_dispatch_failed", exc_info=error)

    async def dispatch_due(self) -> int:
        """Deliver the webhooks that are due, and return how many are pending."""
        due, pending = await self._repository.due()
        await asyncio.gather(*(self._process(webhook) for webhook in due))
        return pending

    async def _process(self, webhook: StoredWebhook) -> None:
        async with self._slots:
            task = await self._ledger.find(webhook.pending.task_id)
            now = time.time()
            if task is not None and task.state.is_end:
                await self._deliver(webhook, task, now)
            elif task is None and now - webhook.pending.asked_at > ORPHAN_AFTER_S:
                await self._repository.remove(webhook)
            else:
                again_s = min(max(now - webhook.pending.asked_at, POLL_INTERVAL_S), MAX_CHECK_INTERVAL_S)
                await self._repository.claim(webhook, webhook.pending.model_copy(update={"next_at": now + again_s}))

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
            await asyncio.to_thread(self._post, claimed.pending, task)
        except DeliveryFailed as error:
            await self._reschedule(claimed, str(error))
            return
        self._on_attempt("delivered")
        self._log.info("callback_delivered", task_id=task.task_id, attempts=attempts)
        await self._repository.remove(claimed)

    def _post(self, pending: PendingWebhook, task: LedgerTask) -> None:
        body = json.dumps(_payload_of(task)).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": task.task_id,
            **signature_headers(self._rules.key_of(pending.tenant).encode(), body),
        }
        try:
            self._rules.guard.post(pending.url, body, headers)
        except (ValueError, RuntimeError) as error:
            raise DeliveryFailed(type(error).__name__) from error

    async def _reschedule(self, webhook: StoredWebhook, reason: str) -> None:
        pending = webhook.pending
        self._log.warning("callback_not_delivered", task_id=pending.task_id, reason=reason, attempts=pending.attempts)
        if pending.next_at - (pending.first_tried_at or pending.next_at) < self._rules.give_up_after_s:
            self._on_attempt("failed")
            return
        self._on_attempt("given_up")
        self._log.error("callback_abandoned", task_id=pending.task_id, attempts=pending.attempts)
        await self._repository.remove(webhook)
        await self._alerts.raise_alert(
            AlertType.DELIVERY_FAILING,
            f"The end of task {pending.task_id} could not be told to its caller in {pending.attempts} attempts.",
            subject="callbacks",
        )


def _payload_of(task: LedgerTask) -> dict[str, object]:
    """Return the payload: the status of a task without its result, which needs a token to read."""
    status = describe(task).model_dump(mode="json", exclude={"result"}, exclude_none=True)
    return {**status, "status_url": f"/tasks/{task.task_id}"}
