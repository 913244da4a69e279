"""Erases reasons that contain the value of a subject from the audit; its chain stays as it is."""

import asyncio
from dataclasses import dataclass

from vestibule.contracts.subjects import ErasePage, FindKind, FoundPlace, SubjectQuery
from vestibule.database_service.audit.audit_store import AuditStore
from vestibule.detection import DetectionError
from vestibule.subject_search import SubjectSearcher


@dataclass(frozen=True, slots=True)
class AuditErasure:
    """Erases from the reasons of a tenant."""

    store: AuditStore
    searcher: SubjectSearcher

    async def erase(self, query: SubjectQuery, tenant: str, limit: int, cursor: str | None) -> ErasePage:
        """Erase from the next page of reasons, or only find what would go; say where the page after it starts."""
        reasons = await self.store.reasons(tenant, int(cursor or 0), limit)
        page = ErasePage(examined=len(reasons))
        if not reasons:
            return page
        search = await asyncio.to_thread(self.searcher.search_for, query.value, query.tenants)
        found = []
        for number, reason in reasons:
            try:
                (match,) = await search.matches_among(reason)
            except DetectionError:
                page.unreadable += 1
            else:
                if match is not None:
                    found.append((number, FoundPlace(kind=FindKind.REASON, **match._asdict())))
        page.note([place for _, place in found], is_listed=query.find_only)
        if found and not query.find_only:
            page.erased = await self.store.erase_reasons([number for number, _ in found])
        if len(reasons) == limit:
            page.cursor = str(reasons[-1][0])
        return page
