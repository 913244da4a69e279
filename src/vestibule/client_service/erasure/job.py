"""Starts erasures and searches, which run in the background, one of each for a tenant."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.erasure.records import ErasureRecord, ErasureRecords
from vestibule.client_service.erasure.stages import ErasureStages
from vestibule.client_service.jobs import BackgroundJobs
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import ErasureInProgress, InvalidInput
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import MIN_SUBJECT_CHARS, SubjectQuery
from vestibule.service_kit.audit.trail import AuditTrail

# A request waits this long for its erasure, and for an earlier one of its tenant.
ANSWER_AFTER_S = 2.0


class Erasure:
    """Starts erasures, and says how far they are; several processes share the work."""

    def __init__(
        self,
        records: ErasureRecords,
        stages: ErasureStages,
        alerts: AlertEngine,
        policy_tenants: Callable[[], frozenset[str]],
        *,
        sign: Callable[[ErasureRecord], str | None],
        trail: AuditTrail,
    ) -> None:
        """Take the parts.

        `policy_tenants` returns those for which the policy makes tokens; `sign` returns the receipt of an erasure that
        has ended and still has its value.
        """
        self._records = records
        self._stages = stages
        self._alerts = alerts
        self._policy_tenants = policy_tenants
        self._sign = sign
        self._trail = trail
        self._runner = BackgroundJobs(records, self._advance, self._conclude)

    def check_value(self, value: str) -> None:
        """Raise `InvalidInput` if too little of a value is left without separators and encoding."""
        if not self._stages.searcher.is_long_enough(value):
            expected = f"at least {MIN_SUBJECT_CHARS} characters, without separators around them"
            mistake = {"where": "body/value", "kind": "string_too_short", "expected": expected}
            raise InvalidInput("The request is not valid. Check: body/value.", errors=[mistake])

    async def erase(self, value: str, caller: Principal, **terms: Any) -> ErasureRecord:
        """Start the erasure of `value`, and return its record when it has ended, or after `ANSWER_AFTER_S`.

        `terms` are members of the record: `reason`, `find_only` for a search, `is_dry_run`.

        Raises:
            InvalidInput: too little of the value is left without separators and encoding.
            ErasureInProgress: another one of the tenant does not end in that time.
            Unavailable: the store does not answer, so it has not begun.
        """
        self.check_value(value)
        find_only = bool(terms.get("find_only"))
        record = ErasureRecord(
            erasure_id=uuid4().hex,
            query=SubjectQuery(
                value=value, tenants=sorted(self._policy_tenants() | {caller.tenant}), find_only=find_only
            ),
            started_at=time.time(),
            request_id=current_origin()["request_id"],
            token_id=caller.token_id,
            token_name=current_origin()["token_name"],
            tenant=caller.tenant,
            **terms,
        )
        ends = time.monotonic() + ANSWER_AFTER_S
        job = self._runner.start(record, await self._add(record, ends))
        await asyncio.wait({job}, timeout=max(0.0, ends - time.monotonic()))
        return await self._records.find(record.erasure_id, caller.tenant)

    async def find(self, erasure_id: str, tenant: str) -> ErasureRecord:
        """Return the record of an erasure of a tenant; raises `ErasureNotFound` where there is none."""
        return await self._records.find(erasure_id, tenant)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Continue in the background what other processes have left; stop all at the end."""
        return self._runner.running()

    async def _add(self, record: ErasureRecord, ends: float) -> int:
        while True:
            try:
                return await self._records.add(record)
            except ErasureInProgress:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.05)

    async def _advance(self, record: ErasureRecord) -> ErasureRecord:
        following = await self._stages.run_page(record)
        if following is not None:
            return following
        ended = record.model_copy(update={"cursor": None, "finished_at": time.time()})
        receipt = None if record.find_only else self._sign(ended)
        return ended.model_copy(update={"query": None, "receipt": receipt})

    async def _conclude(self, ended: ErasureRecord) -> None:
        if ended.find_only:  # whose alert was raised before it began
            return
        reason = f" Reason given: {ended.reason}" if ended.reason else ""
        await self._alerts.raise_alert(
            AlertType.SUBJECT_ERASED,
            f"A subject was erased: {ended.entries.erased} entries and {ended.results.erased} results are deleted."
            + (f" {ended.unreadable} values could not be read." if ended.unreadable else "")
            + (" It was continued after an interruption, which may have lost some counts." if ended.is_resumed else "")
            + reason,
            request_id=ended.request_id,
            token_id=ended.token_id,
            token_name=ended.token_name,
            tenant=ended.tenant,
        )
        # Two processes may come to this end; it counts once.
        whose = ended.model_dump(include={"request_id", "token_id", "token_name", "tenant"})
        known = {**whose, "act_id": ended.erasure_id, "target": ended.erasure_id}
        await self._trail.record_ended(Act.ERASURE_ENDED, known)
