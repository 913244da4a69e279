"""Runs erasures in the background, one for each tenant, and continues those of processes that ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import structlog

from vestibule.alerts import AlertEngine, AlertType, current_origin
from vestibule.client_service.erasure.records import ErasureRecord, ErasureRecords
from vestibule.client_service.erasure.stages import ErasureStages
from vestibule.contracts.errors import ErasureInProgress, InvalidInput, PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import MIN_SUBJECT_CHARS, SubjectQuery
from vestibule.runtime.background import Backoff, Jitter, cancel, in_background, repeat

# A request waits this long for its erasure, and for an earlier one of its tenant.
ANSWER_AFTER_S = 2.0
# Progress is stored this often. A job whose record does not change for longer than any page takes is continued.
SAVE_EVERY_S = 1.0
LOOK_EVERY_S = 5.0
TAKEN_OVER_AFTER_S = 20.0
RETRY_BACKOFF = Backoff(first_s=0.5, longest_s=30.0, jitter=Jitter.EQUAL)


class Erasure:
    """Starts erasures, says how far they are, and runs them; several processes share the work."""

    def __init__(
        self,
        records: ErasureRecords,
        stages: ErasureStages,
        alerts: AlertEngine,
        policy_tenants: Callable[[], frozenset[str]],
    ) -> None:
        """Take the parts; `policy_tenants` returns those for which the policy makes tokens."""
        self._records = records
        self._stages = stages
        self._alerts = alerts
        self._policy_tenants = policy_tenants
        self._running: dict[str, asyncio.Task[None]] = {}
        # By erasure: the version that was seen last, and when it was seen first.
        self._seen: dict[str, tuple[int, float]] = {}
        self._log = structlog.get_logger("vestibule.erasure")

    async def erase(self, value: str, caller: Principal) -> ErasureRecord:
        """Start the erasure of `value`, and return its record when it has ended, or after `ANSWER_AFTER_S`.

        Raises:
            InvalidInput: too little of the value is left without separators and encoding.
            ErasureInProgress: another one of the tenant does not end in that time.
            Unavailable: the store does not answer, so it has not begun.
        """
        if not self._stages.searcher.is_long_enough(value):
            expected = f"at least {MIN_SUBJECT_CHARS} characters, without separators around them"
            mistake = {"where": "body/value", "kind": "string_too_short", "expected": expected}
            raise InvalidInput("The request is not valid. Check: body/value.", errors=[mistake])
        record = ErasureRecord(
            erasure_id=uuid4().hex,
            query=SubjectQuery(value=value, tenants=sorted(self._policy_tenants() | {caller.tenant})),
            started_at=time.time(),
            request_id=current_origin()["request_id"],
            token_id=caller.token_id,
            tenant=caller.tenant,
        )
        ends = time.monotonic() + ANSWER_AFTER_S
        self._start(record, await self._add(record, ends))
        job = self._running[record.erasure_id]
        await asyncio.wait({job}, timeout=max(0.0, ends - time.monotonic()))
        return await self._records.find(record.erasure_id, caller.tenant)

    async def find(self, erasure_id: str, tenant: str) -> ErasureRecord:
        """Return the record of an erasure of a tenant; raises `ErasureNotFound` where there is none."""
        return await self._records.find(erasure_id, tenant)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Continue in the background what other processes have left; stop all at the end."""
        errors: dict[str, Any] = {"on_error": self._log_error, "outages": (Unavailable,), "error_pause_s": LOOK_EVERY_S}
        async with in_background(repeat(self._continue_abandoned, **errors)):
            yield
        await cancel(list(self._running.values()))

    async def _add(self, record: ErasureRecord, ends: float) -> int:
        while True:
            try:
                return await self._records.add(record)
            except ErasureInProgress:
                if time.monotonic() > ends:
                    raise
                await asyncio.sleep(0.05)

    def _start(self, record: ErasureRecord, version: int) -> None:
        job = asyncio.create_task(self._run(record, version))
        self._running[record.erasure_id] = job
        job.add_done_callback(lambda _job: self._running.pop(record.erasure_id, None))

    async def _run(self, record: ErasureRecord, version: int) -> None:
        """Erase until the end. What fails is tried again; another process that continues the job stops this one."""
        failures = 0
        while True:
            try:
                if record.finished_at is not None:
                    return await self._conclude(record)
                record, version = await self._advance(record, version)
                failures = 0
            except PreconditionFailed:
                return None
            except Exception as error:  # noqa: BLE001 - without a retry its tenant could start no other
                failures += 1
                if failures == 1:
                    self._log_error(error)
                await asyncio.sleep(RETRY_BACKOFF.delay_s(failures))

    async def _advance(self, record: ErasureRecord, version: int) -> tuple[ErasureRecord, int]:
        """Erase for a second, and store the progress, or the end."""
        ends = time.monotonic() + SAVE_EVERY_S
        while True:
            following = await self._stages.run_page(record)
            if following is None:
                record = record.model_copy(update={"query": None, "cursor": None, "finished_at": time.time()})
                break
            record = following
            if time.monotonic() >= ends:
                break
        return record, await self._records.renew(record, version)

    async def _conclude(self, ended: ErasureRecord) -> None:
        await self._alerts.raise_alert(
            AlertType.SUBJECT_ERASED,
            f"A subject was erased: {ended.entries.erased} entries and {ended.results.erased} results are deleted."
            + (f" {ended.unreadable} values could not be read." if ended.unreadable else ""),
            request_id=ended.request_id,
            token_id=ended.token_id,
            tenant=ended.tenant,
        )
        await self._records.finish(ended)

    async def _continue_abandoned(self) -> float:
        found = await self._records.running()
        now = time.monotonic()
        seen = {}
        for record, version in found:
            last_version, since = self._seen.get(record.erasure_id, (version, now))
            if version != last_version:
                since = now
            seen[record.erasure_id] = (version, since)
            if record.erasure_id not in self._running and now - since >= TAKEN_OVER_AFTER_S:
                # Of several processes one claims it.
                with suppress(PreconditionFailed):
                    self._start(record, await self._records.renew(record, version))
                    self._log.info("erasure_continued")
        self._seen = seen
        return LOOK_EVERY_S

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which is logged elsewhere; the job goes on
            self._log.error("erasure_failed", exc_info=error)
