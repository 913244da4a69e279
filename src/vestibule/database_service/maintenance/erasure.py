"""Erasure of a data subject from entries and tasks, a page at a time; callers request page after page.

It decrypts and searches every value. An index of fingerprints would be faster, but would miss what no detector found
when the value was stored.
"""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from vestibule.contracts.conditions import Condition
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import PAGE_S, ErasePage, EraseRequest, SubjectQuery
from vestibule.contracts.task_ledger import TaskChange
from vestibule.contracts.tasks import UNFINISHED, TaskState
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.entries.tenant_view import tenant_prefix
from vestibule.database_service.maintenance.jobs import Sweeper
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import KEEP_ERASED_S, StoredTask
from vestibule.database_service.tasks.task_entries import TaskCompletion
from vestibule.detection import DetectionError
from vestibule.encryption import DecryptionFailed
from vestibule.subject_search import SubjectSearch, SubjectSearcher

# Tasks read at once: data and result of each may be a MiB.
TASKS_AT_ONCE = 16
# Others may change an entry while it is searched; it is searched again then.
MAX_ATTEMPTS = 20
SEARCHES_KEPT = 16
ERASED = "(erased)"


class Searches:
    """The searches of running erasures. Each is kept between two pages, and built again at the first page."""

    def __init__(self, searcher: SubjectSearcher) -> None:
        self._searcher = searcher
        self._kept = lru_cache(SEARCHES_KEPT)(self._search_for)

    async def for_page(self, query: SubjectQuery, cursor: str | None) -> SubjectSearch:
        """Return the search for a page of `query`."""
        if cursor is None:
            # A key of fingerprints may be new since.
            self._kept.cache_clear()
        return await asyncio.to_thread(self._kept, query.value, tuple(query.tenants))

    def _search_for(self, value: str, tenants: tuple[str, ...]) -> SubjectSearch:
        return self._searcher.search_for(value, tenants)


@dataclass(frozen=True, slots=True)
class EntryErasure:
    """Erases from the entries of tenants, and from the records that services keep for a tenant."""

    store: EncryptedStore
    searches: Searches

    async def erase(self, request: EraseRequest, owner: Principal, limit: int, cursor: str | None) -> ErasePage:
        """Erase from a page of the entries of `owner`.

        A version is deleted only as it was read, so what is written meanwhile stays. A key that holds the value is
        removed at once, with everything that is known of it.
        """
        search, prefix = await self.searches.for_page(request, cursor), tenant_prefix(owner.tenant)
        ends = _clock() + PAGE_S
        found = await self.store.keys(prefix, limit, cursor)
        page = ErasePage(cursor=found.cursor)
        for key in found.keys:
            if request.owner is None:
                await self._erase_entry(key, key.removeprefix(prefix), owner.token_id, search, page)
            elif request.field is not None:
                await self._erase_field(key, request.owner, request.field, search, page)
            else:
                await self._erase_record(key, request, search, page)
            if _clock() > ends and key != found.keys[-1]:
                page.cursor = key
                break
            await asyncio.sleep(0)
        await _scrub(self.store, page)
        return page

    async def erase_ended(self, query: SubjectQuery, owner: Principal, limit: int, cursor: str | None) -> ErasePage:
        """Remove those of a page of deleted and expired keys of `owner` that hold the value."""
        search, prefix = await self.searches.for_page(query, cursor), tenant_prefix(owner.tenant)
        if cursor is None:
            # An expired key is neither live nor ended until it is swept.
            await Sweeper([self.store], 0).sweep()
        found = await self.store.ended(prefix, limit, cursor)
        page = ErasePage(cursor=found.cursor)
        for key in found.keys:
            if await _finds(search, key.removeprefix(prefix)):
                page.erased += await self.store.erase(key)
            await asyncio.sleep(0)
        await _scrub(self.store, page)
        return page

    async def _erase_entry(
        self, key: str, name: str, author: str | None, search: SubjectSearch, page: ErasePage
    ) -> None:
        page.examined += 1
        if await _finds(search, name):
            page.erased += await self.store.erase(key)
            return
        for _ in range(MAX_ATTEMPTS):
            versions = await self.store.read_versions(key)
            outcomes = {version: await _finds(search, text) for version, text in versions.items()}
            found = [version for version, outcome in outcomes.items() if outcome]
            if found and max(found) == max(versions):
                condition = Condition.of_version(max(found))
                try:
                    page.erased += await self.store.delete(key, condition=condition, author=author)
                except PreconditionFailed:
                    continue
            else:
                page.erased += sum([await self.store.forget(key, version) for version in found])
                page.unreadable += None in outcomes.values()
            return
        raise Unavailable("database", "An entry is written again and again while it is searched.")

    async def _erase_record(self, key: str, request: EraseRequest, search: SubjectSearch, page: ErasePage) -> None:
        """Erase a record of a service if it is one of the tenant's; it has no history."""
        for _ in range(MAX_ATTEMPTS):
            for version, text in (await self.store.read_versions(key)).items():
                if text is not None and _record_in(text).get("tenant") != request.owner:
                    return
                is_found = await _finds(search, text)
                if is_found and not await self._remove(key, version, request.instead):
                    break  # it is another by now
                page.examined += 1
                page.erased += bool(is_found)
                page.unreadable += is_found is None
                return
            else:
                return
        raise Unavailable("database", "A record is written again and again while it is searched.")

    async def _erase_field(self, key: str, owner: str, field: str, search: SubjectSearch, page: ErasePage) -> None:
        """Replace a field of a record; others need the record itself."""
        for _ in range(MAX_ATTEMPTS):
            versions = await self.store.read_versions(key)
            version, text = next(iter(versions.items()), (0, None))
            record = _record_in(text or "")
            if record.get("tenant") != owner or not await _finds(search, str(record.get(field, ""))):
                return
            if await self.store.replace(key, json.dumps({**record, field: ERASED}), version):
                page.erased += 1
                return
        raise Unavailable("database", "A record is written again and again while it is searched.")

    async def _remove(self, key: str, version: int, instead: str | None) -> bool:
        if instead is not None:
            return await self.store.replace(key, instead, version)
        try:
            return await self.store.delete(key, condition=Condition.of_version(version))
        except PreconditionFailed:
            return False


@dataclass(frozen=True, slots=True)
class TaskErasure:
    """Erases from data and results of tasks."""

    ledger: EncryptedTaskLedger
    completion: TaskCompletion
    store: EncryptedStore
    searches: Searches

    async def erase(self, query: SubjectQuery, tenant: str, limit: int, cursor: str | None) -> ErasePage:
        """Erase data and result of those of a page of a tenant's tasks that hold the value; unfinished are cancelled.

        A task that changes meanwhile is searched again.
        """
        search, ends = await self.searches.for_page(query, cursor), _clock() + PAGE_S
        read, changed, page = 0, 0, ErasePage(cursor=cursor, cancelled=[])
        while True:
            tasks, following = await self.ledger.read_stored(min(TASKS_AT_ONCE, limit - read), page.cursor)
            outcomes = [await self._erase_from(stored, search, page) for stored in tasks if stored.tenant == tenant]
            if not all(outcomes):
                changed += 1
                if changed > MAX_ATTEMPTS:
                    raise Unavailable("database", "A task changes again and again while it is searched.")
                continue
            read += len(tasks)
            page.examined += len(outcomes)
            page.cursor = following
            if following is None or read >= limit or _clock() > ends:
                break
            await asyncio.sleep(0)
        await _scrub(self.store, page)
        return page

    async def _erase_from(self, stored: StoredTask, search: SubjectSearch, page: ErasePage) -> bool:
        """Erase a task if it holds the value; False where it has changed since it was read."""
        try:
            opened = self.ledger.decrypt_stored(stored)
            is_found = await search.finds_among(opened.data, opened.result)
        except (DecryptionFailed, DetectionError):
            page.unreadable += 1
            return True
        if not is_found:
            return True
        # Cancelled as any task is, so that no result of it is written to a key from now on.
        is_erased = (await self.completion.change([_cancelling(stored)])) == [True]
        if not is_erased:
            is_erased = await self.ledger.replace_stored(stored, replace(stored, data=None, result=None))
        page.erased += is_erased
        if is_erased and stored.data is not None:
            page.cancelled.append(stored.task_id)
        return is_erased


@dataclass(frozen=True, slots=True)
class SubjectErasure:
    """The erasure from entries and from tasks."""

    entries: EntryErasure
    tasks: TaskErasure

    @classmethod
    def build(cls, store: EncryptedStore, ledger: EncryptedTaskLedger, searcher: SubjectSearcher) -> Self:
        """Return both over one store."""
        searches = Searches(searcher)
        return cls(EntryErasure(store, searches), TaskErasure(ledger, TaskCompletion(store, ledger), store, searches))


async def _scrub(store: EncryptedStore, page: ErasePage) -> None:
    """Clean the files of the store; the last page does so too, since an earlier one may have failed here."""
    if page.erased or page.cursor is None:
        await store.scrub()


async def _finds(search: SubjectSearch, text: str | None) -> bool | None:
    """Return whether a text contains the value; None where there is no text, or it cannot be decoded."""
    try:
        return None if text is None else await search.finds_among(text)
    except DetectionError:
        return None


def _record_in(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        content = json.loads(text)
        if isinstance(content, dict):
            return content
    return {}


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _cancelling(stored: StoredTask) -> TaskChange:
    return TaskChange(
        task_id=stored.task_id,
        from_states=list(UNFINISHED),
        tenant=stored.tenant,
        state=TaskState.CANCELLED,
        finished_at=time.time(),
        keep_data=False,
        keep_result_s=KEEP_ERASED_S,
        keep_s=KEEP_ERASED_S,
    )
