"""Search for a data subject in entries and tasks, and its erasure, a page at a time; callers request page after page.

An erasure is a search that acts on what it finds: with `find_only` the same pages list the places and change nothing.

It decrypts and searches every value. An index of fingerprints would be faster, but would miss what no detector found
when the value was stored.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, Self

from vestibule.contracts.entries import Condition
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import PAGE_S, ErasePage, EraseRequest, FindKind, FoundPlace, SubjectQuery
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
from vestibule.subject_search import Match, SubjectSearch, SubjectSearcher

# Tasks read at once: data and result of each may be a MiB.
TASKS_AT_ONCE = 16
# Others may change an entry while it is searched; it is searched again then.
MAX_ATTEMPTS = 20
SEARCHES_KEPT = 16
ERASED = "(erased)"
TASK_KINDS = (FindKind.TASK_DATA, FindKind.TASK_RESULT)
# When a record of a service was made, by the names that services have for it.
RECORD_TIMES = ("created_at", "asked_at", "first_at")


# When and by which token each version of an entry was written.
Authors = Mapping[int, tuple[datetime, str | None]]


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
                await self._erase_entry(key, owner, request.find_only, search, page)
            elif request.field is not None:
                await self._erase_field(key, request, search, page)
            else:
                await self._erase_record(key, request, search, page)
            if _clock() > ends and key != found.keys[-1]:
                page.cursor = key
                break
            await asyncio.sleep(0)
        if not request.find_only:
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
            if match := await _match_in(search, name := key.removeprefix(prefix)):
                if not query.find_only:
                    page.erased += await self.store.erase(key)
                page.note([_place(FindKind.ENDED_KEY, match, key=name)], is_listed=query.find_only)
            await asyncio.sleep(0)
        if not query.find_only:
            await _scrub(self.store, page)
        return page

    async def _erase_entry(
        self, key: str, owner: Principal, find_only: bool, search: SubjectSearch, page: ErasePage
    ) -> None:
        page.examined += 1
        named = await _match_in(search, key.removeprefix(tenant_prefix(owner.tenant)))
        for _ in range(MAX_ATTEMPTS):
            versions = await self.store.read_versions(key)
            matches = {version: await _match_in(search, text) for version, text in versions.items()}
            found = {version: match for version, match in matches.items() if match}
            authors = await self.store.authors_of(key) if find_only and (named or found) else {}
            name = key.removeprefix(tenant_prefix(owner.tenant))
            places = list(_places_of_entry(name, named, found, max(versions, default=0), authors))
            if not find_only:
                try:
                    page.erased += await self._act(key, owner, bool(named), list(found), max(versions, default=0))
                except PreconditionFailed:
                    continue
            page.note(places, is_listed=find_only)
            is_gone = bool(named) or max(found, default=-1) == max(versions, default=0)
            page.unreadable += None in matches.values() and (find_only or not is_gone)
            return
        raise Unavailable("database", "An entry is written again and again while it is searched.")

    async def _act(self, key: str, owner: Principal, is_named: bool, found: list[int], newest: int) -> int:
        """Erase an entry whose key or newest version holds the value, or else its earlier versions that do."""
        if is_named:
            return await self.store.erase(key)
        if found and max(found) == newest:
            return await self.store.delete(key, condition=Condition.of_version(newest), author=owner.token_id)
        return sum([await self.store.forget(key, version) for version in found])

    async def _erase_record(self, key: str, request: EraseRequest, search: SubjectSearch, page: ErasePage) -> None:
        """Erase a record of a service if it is one of the tenant's; it has no history."""
        for _ in range(MAX_ATTEMPTS):
            for version, text in (await self.store.read_versions(key)).items():
                if text is not None and _record_in(text).get("tenant") != request.owner:
                    return
                match = await _match_in(search, text)
                if match and not request.find_only and not await self._remove(key, version, request.instead):
                    break  # it is another by now
                page.examined += 1
                page.unreadable += match is None
                if match:
                    page.erased += not request.find_only
                    place = _place_of_record(request.kind, match, _record_in(text or ""))
                    page.note([place], is_listed=request.find_only)
                return
            else:
                return
        raise Unavailable("database", "A record is written again and again while it is searched.")

    async def _erase_field(self, key: str, request: EraseRequest, search: SubjectSearch, page: ErasePage) -> None:
        """Replace a field of a record; others need the record itself."""
        for _ in range(MAX_ATTEMPTS):
            versions = await self.store.read_versions(key)
            version, text = next(iter(versions.items()), (0, None))
            record = _record_in(text or "")
            if record.get("tenant") != request.owner:
                return
            match = await _match_in(search, str(record.get(request.field or "", "")))
            if not match:
                return
            changed = json.dumps({**record, request.field or "": ERASED})
            if request.find_only or await self.store.replace(key, changed, version):
                page.erased += not request.find_only
                page.note([_place_of_record(request.kind, match, record)], is_listed=request.find_only)
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
            outcomes = [
                await self._erase_from(stored, query.find_only, search, page)
                for stored in tasks
                if stored.tenant == tenant
            ]
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
        if not query.find_only:
            await _scrub(self.store, page)
        return page

    async def _erase_from(self, stored: StoredTask, find_only: bool, search: SubjectSearch, page: ErasePage) -> bool:
        """Erase a task if it holds the value; False where it has changed since it was read."""
        try:
            opened = self.ledger.decrypt_stored(stored)
            terms, _, data = (opened.data or "").partition("\n")
            matches = await search.matches_among(data, terms, opened.result)
        except (DecryptionFailed, DetectionError):
            page.unreadable += 1
            return True
        if not any(matches):
            return True
        places = await self._places_of(stored.task_id, terms, matches) if find_only else _task_places(matches)
        if find_only:
            page.note(places, is_listed=True)
            return True
        # Cancelled as any task is, so that no result of it is written to a key from now on.
        is_erased = (await self.completion.change([_cancelling(stored)])) == [True]
        if not is_erased:
            is_erased = await self.ledger.replace_stored(stored, replace(stored, data=None, result=None))
        page.erased += is_erased
        if is_erased and stored.data is not None:
            page.cancelled.append(stored.task_id)
        if is_erased:
            page.note(places, is_listed=False)
        return is_erased

    async def _places_of(self, task_id: str, terms: str, matches: list[Match | None]) -> list[FoundPlace]:
        origin = _record_in(terms).get("origin") or {}
        known = next(iter(await self.ledger.find([task_id])), None)
        times = (known.submitted_at, known.finished_at) if known is not None else (None, None)
        moments = {kind: _moment(at) for kind, at in zip(TASK_KINDS, times, strict=True)}
        return [
            one.model_copy(update={"task_id": task_id, "at": moments[one.kind], "by": origin.get("token_id")})
            for one in _task_places(matches)
        ]


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


async def _match_in(search: SubjectSearch, text: str | None) -> Match | Literal[False] | None:
    """Return how the value stands in a text, or False; None where there is no text, or it cannot be decoded."""
    try:
        return None if text is None else (await search.matches_among(text))[0] or False
    except DetectionError:
        return None


def _place(kind: FindKind, match: Match, **known: Any) -> FoundPlace:
    return FoundPlace.model_construct(kind=kind, **match._asdict(), **known)


def _places_of_entry(
    name: str, named: Match | bool | None, found: Mapping[int, Match], newest: int, authors: Authors
) -> Iterator[FoundPlace]:
    """Yield the key, if it holds the value, and the versions that do, the newest first."""
    for version in sorted({newest, *found}, reverse=True):
        at, by = authors.get(version, (None, None))
        known = {"key": name, "version": version, "at": at, "by": by}
        if version == newest and isinstance(named, Match):
            yield _place(FindKind.KEY, named, **known)
        if version in found:
            yield _place(FindKind.ENTRY if version == newest else FindKind.VERSION, found[version], **known)


def _place_of_record(kind: FindKind, match: Match, record: Mapping[str, Any]) -> FoundPlace:
    at = next((record[name] for name in RECORD_TIMES if name in record), None)
    origin = (record.get("terms") or {}).get("origin") or {}
    known = {"task_id": record.get("task_id"), "schedule_id": record.get("schedule_id"), "by": origin.get("token_id")}
    return _place(kind, match, at=_moment(at), **known)


def _task_places(matches: Sequence[Match | None]) -> list[FoundPlace]:
    data, terms, result = matches
    if data is None and terms is not None:
        data = terms._replace(is_part=True)
    both = zip(TASK_KINDS, (data, result), strict=True)
    return [_place(kind, match) for kind, match in both if match is not None]


def _moment(at: object) -> datetime | None:
    """Return a Unix time, or one in ISO format, as a time; None where it is neither."""
    with suppress(ValueError, OverflowError, TypeError):
        return datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else datetime.fromisoformat(str(at))
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
