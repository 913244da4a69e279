"""The stages of an erasure: one for each place that keeps texts of callers. Each erases a page at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.alerts.store.reasons import AlertReasons
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.client_service.task_service.outcomes import LedgerSteps, open_outcome
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_status import at_or_none
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import ErasePage, EraseRequest, FindKind, FoundPlace, SubjectQuery
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.detection import DetectionError
from vestibule.encryption import DecryptionFailed
from vestibule.subject_search import SubjectSearch, SubjectSearcher

# Keys per page; a page ends earlier if its values are long.
PAGE = 1000
RESULTS_PAGE = 200

Stage = Callable[[ErasureRecord, SubjectQuery], Awaitable[ErasePage]]


@dataclass(frozen=True, slots=True)
class ServiceRecords:
    """Records that a service keeps for tenants, and what replaces one that is erased; None deletes it.

    With `field` that field alone is searched, and replaced. A search shows none of the kind `FIND`, its own result.
    """

    owner: Principal
    kind: FindKind
    instead: str | None = None
    field: str | None = None


@dataclass(frozen=True)
class ErasureStages:
    """Erases page after page, or only finds: then nothing changes, and pages list the places.

    Every stage raises `Unavailable` if a service does not answer.
    """

    entries_for: Callable[[Principal], EntryClient]
    records: Sequence[ServiceRecords]
    ledger: TaskLedgerClient
    schedules: ScheduleService
    redis: Redis
    queue: QueueView
    steps: LedgerSteps
    searcher: SubjectSearcher
    reasons: AlertReasons
    audit: AuditClient

    @cached_property
    def _stages(self) -> Sequence[tuple[Stage, bool]]:
        """Each stage, and whether it counts as entries. Tasks come after what makes tasks."""
        return (
            (self._erase_entries, True),
            (self._erase_ended_keys, True),
            *((self._stage_of(some), True) for some in self.records),
            (self._remove_schedules, True),
            (self._erase_reasons, True),
            (self._erase_audited_reasons, True),
            (self._erase_tasks, False),
            (self._erase_results, False),
            (self._erase_late_results, False),
            (self._erase_late_entries, True),
        )

    @property
    def _erasing_only(self) -> Sequence[Stage]:
        """What a search leaves out: it makes nothing that would have to be searched again."""
        return (self._remove_schedules, self._erase_late_results, self._erase_late_entries)

    async def run_page(self, record: ErasureRecord) -> ErasureRecord | None:
        """Erase the next page, and return the record after it; None at the end."""
        if record.query is None or record.stage == len(self._stages):
            return None
        stage, is_of_entries = self._stages[record.stage]
        page = ErasePage() if record.find_only and stage in self._erasing_only else await stage(record, record.query)
        name = "entries" if is_of_entries else "results"
        known: ErasePage = getattr(record, name)
        total = ErasePage(
            examined=known.examined + page.examined,
            erased=known.erased + page.erased,
            unreadable=known.unreadable + page.unreadable,
        )
        stage_number = record.stage + (page.cursor is None)
        changed = {name: total, "cursor": page.cursor, "stage": stage_number}
        return record.model_copy(update={**changed, **record.with_page(page)})

    async def _erase_entries(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        entries = self.entries_for(Principal(record.tenant, record.token_id))
        return await entries.erase(EraseRequest(**query.model_dump()), PAGE, record.cursor)

    async def _erase_ended_keys(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        return await self.entries_for(Principal(record.tenant)).erase_ended(query, PAGE, record.cursor)

    def _stage_of(self, records: ServiceRecords) -> Stage:
        async def erase(record: ErasureRecord, query: SubjectQuery) -> ErasePage:
            if record.find_only and records.kind is FindKind.FIND:
                return ErasePage()
            place = {
                "owner": record.tenant,
                "instead": records.instead,
                "field": records.field,
                "kind": records.kind,
            }
            request = EraseRequest.model_validate({**query.model_dump(), **place})
            return await self.entries_for(records.owner).erase(request, PAGE, record.cursor)

        return erase

    async def _erase_reasons(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        """Erase what people wrote about alerts, on this host."""
        search = await asyncio.to_thread(self.searcher.search_for, query.value, query.tenants)
        page = ErasePage()
        if record.find_only:
            matches = await asyncio.to_thread(self.reasons.find, record.tenant, search.match_in)
            page.note(
                [FoundPlace(kind=FindKind.REASON, at=at, **match._asdict()) for at, match in matches], is_listed=True
            )
        elif erased := await asyncio.to_thread(self.reasons.erase, record.tenant, search.finds_in):
            page = ErasePage(erased=erased, counts={FindKind.REASON: erased})
        return page

    async def _erase_audited_reasons(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        """Erase the reasons of acts, whose lines stay."""
        return await self.audit.erase(query, record.tenant, PAGE, record.cursor)

    async def _remove_schedules(self, record: ErasureRecord, _query: SubjectQuery) -> ErasePage:
        await self.schedules.remove_orphans(record.tenant)
        return ErasePage()

    async def _erase_tasks(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        page = await self.ledger.erase(query, record.tenant, PAGE, record.cursor)
        try:
            for task_id in page.cancelled:
                await self.queue.mark_cancelled(task_id, int(self.steps.settings.task_record_expires_s))
        except (RedisError, OSError):
            # A worker may still run it; the ledger has the end, and the result is discarded within minutes.
            structlog.get_logger("vestibule.tasks").info("cancelled_without_queue", task_id=page.cancelled[0])
        return page

    async def _erase_late_results(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        """Search the ledger again: results may have come into it from Redis before they were searched there."""
        page = await self._erase_tasks(record, query)
        return page.model_copy(update={"examined": 0, "unreadable": 0})

    async def _erase_late_entries(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        """Search entries again: an erased task may have written its result to a key meanwhile, and no more now."""
        if not record.results.erased:
            return ErasePage()
        page = await self._erase_entries(record, query)
        return page.model_copy(update={"examined": 0, "unreadable": 0})

    async def _erase_results(self, record: ErasureRecord, query: SubjectQuery) -> ErasePage:
        """Erase the results in Redis that contain the value. Most are copies of those in the ledger."""
        search = await asyncio.to_thread(self.searcher.search_for, query.value, query.tenants)
        try:
            cursor, keys = await self.redis.scan(
                int(record.cursor or 0), match=f"{RESULT_PREFIX}*", count=RESULTS_PAGE, _type="string"
            )
            page = ErasePage(cursor=str(cursor) if cursor else None)
            for key in keys:
                name = key if isinstance(key, str) else key.decode()
                await self._erase_result(name, search, record.tenant, page, find_only=record.find_only)
        except (RedisError, OSError) as error:
            raise Unavailable("queue", "The queue does not answer.") from error
        return page

    async def _erase_result(
        self, key: str, search: SubjectSearch, tenant: str, page: ErasePage, *, find_only: bool
    ) -> None:
        """Erase one result if it is of the tenant.

        A task whose result is not in the ledger yet is cancelled first: without its result it would run again.
        """
        task_id, content = key.removeprefix(RESULT_PREFIX), await self.redis.get(key)
        if not isinstance(content, bytes):
            return  # expired in between
        try:
            outcome = open_outcome(self.steps.cipher, task_id, content)
            (match,) = await search.matches_among(outcome.result)
            if match is None:
                return
        except (DecryptionFailed, DetectionError):
            task = await self.ledger.find_any(task_id)
            page.unreadable += task is not None and task.tenant == tenant
            return
        task = await self.ledger.find_any(task_id)
        if task is None or task.tenant != tenant:
            return
        place = FoundPlace(kind=FindKind.TASK_RESULT, task_id=task_id, **match._asdict())
        if find_only:
            # The result of a task that has ended is in the ledger, and was found there.
            if not task.state.is_end:
                page.note([place.model_copy(update={"at": at_or_none(outcome.finished_at)})], is_listed=True)
            return
        if not task.state.is_end:
            step = self.steps.after_cancel(task_id, time.time()).model_copy(update={"keep_data": False})
            (is_cancelled,) = await self.ledger.change([step])
            page.erased += is_cancelled
            if is_cancelled:
                page.note([place], is_listed=False)
        await self.redis.delete(key)
