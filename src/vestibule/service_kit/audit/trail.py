"""The trail of a service: records acts on disk, and ships them to the database service."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from vestibule.contracts.audit import Act, ActOutcome, AuditRecord
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.runtime.background import in_background, repeat
from vestibule.runtime.log_context import log_fields
from vestibule.service_kit.audit.outbox import AuditOutbox

SHIP_EVERY_S = 0.4


class AuditReceiver(Protocol):
    """Records acts in the database service; raises `Unavailable` where it does not confirm."""

    async def add(self, records: Sequence[AuditRecord]) -> int:
        """Record acts, but those that are recorded already, and return how many are new."""
        ...


class AuditTrail:
    """Records acts of the current request, which the logging context names."""

    def __init__(self, service: str, data_dir: Path, receiver: AuditReceiver) -> None:
        self._service = service
        self._outbox = AuditOutbox(data_dir)
        self._receiver = receiver
        self._log = structlog.get_logger("vestibule.audit")

    async def begin(self, act: Act) -> str:
        """Record in the database service that an act begins, and return its id.

        Raises:
            Unavailable: it cannot be recorded.
        """
        record = self._record_of(act, ActOutcome.BEGUN)
        try:
            await self._receiver.add([record])
        except Unavailable as error:
            detail = "The act cannot be recorded in the audit, so nothing is done."
            raise Unavailable("audit", detail) from error
        return record.act_id

    async def record(
        self,
        act: Act,
        outcome: ActOutcome = ActOutcome.DONE,
        *,
        act_id: str | None = None,
        problem: str | None = None,
        target: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Record an act of the current request. What is begun already was promised to be recorded.

        Raises:
            Unavailable: neither the disk nor the database service takes it, and the act had begun by `begin`.
        """
        given = {"problem": problem, "target": target, "reason": reason}
        record = self._record_of(act, outcome, act_id).model_copy(update=given)
        if not await self._keep(record) and act_id is not None:
            raise Unavailable("audit", "The end of the act cannot be recorded in the audit.")

    async def record_policy(self, before: str | None, after: str) -> None:
        """Record that another policy is in force; the database service records it once for all replicas."""
        known = {"before": before, "after": after}
        await self._keep(self._record_of(Act.POLICY_CHANGED, ActOutcome.DONE).model_copy(update=known))

    async def record_ended(self, act: Act, whose: Mapping[str, str | None]) -> None:
        """Record the end of an act that went on without its request.

        `whose` has the `token_id`, `token_name`, `tenant` and `request_id` of that, the `target`, and an `act_id` by
        which it counts once.
        """
        await self._keep(self._record_of(act, ActOutcome.DONE).model_copy(update=dict(whose)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ship in the background while the context is open."""
        async with in_background(repeat(self._step, on_error=self._log_failure, outages=(Unavailable, OSError))):
            yield

    async def ship(self) -> int:
        """Ship what is there by now, and return how many acts were new.

        Raises:
            Unavailable: the database service does not confirm; a later call ships it again.
        """
        added = 0
        while waiting := await asyncio.to_thread(self._outbox.waiting):
            added += await self._receiver.add([record for _, record in waiting])
            for path, _ in waiting:
                path.unlink(missing_ok=True)
        return added

    async def _step(self) -> float:
        await self.ship()
        return SHIP_EVERY_S

    async def _keep(self, record: AuditRecord) -> bool:
        try:
            await asyncio.to_thread(self._outbox.put, record)
        except OSError as error:
            try:
                await self._receiver.add([record.sealed()])
            except Unavailable:
                self._log.error("act_not_recorded", act=record.act, error=type(error).__name__)
                return False
        return True

    def _record_of(self, act: Act, outcome: ActOutcome, act_id: str | None = None) -> AuditRecord:
        bound = log_fields()
        return AuditRecord(
            act_id=act_id or secrets.token_hex(16),
            time=datetime.now(UTC),
            act=act.value,
            outcome=outcome,
            service=self._service,
            tenant=bound.get("tenant", SYSTEM_TENANT),
            token_id=bound.get("token_id"),
            token_name=bound.get("token_name"),
            request_id=bound.get("request_id"),
        )

    def _log_failure(self, error: Exception) -> None:
        self._log.warning("acts_not_shipped", error=type(error).__name__)
