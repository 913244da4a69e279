"""The client of the audit in the database service."""

from collections.abc import Sequence

from vestibule.contracts.audit import AuditBatch, AuditHead, AuditPage, AuditQuery, AuditRecord
from vestibule.contracts.subjects import PAGE_TIMEOUT_S, ErasePage, SubjectQuery
from vestibule.database_client.transport import DatabaseTransport


class AuditClient:
    """Calls the database service. Every method raises `Unavailable` where it does not confirm the outcome."""

    def __init__(self, database: DatabaseTransport) -> None:
        self._database = database

    async def add(self, records: Sequence[AuditRecord]) -> int:
        """Record acts, but those that are recorded already, and return how many are new."""
        body = AuditBatch.model_construct(records=list(records)).model_dump(mode="json", exclude_none=True)
        return int((await self._database.send("POST", "/audit/add", body=body))["added"])

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return lines of the audit."""
        body = query.model_dump(mode="json", exclude_none=True)
        return AuditPage.model_validate(await self._database.send("POST", "/audit/find", body=body))

    async def head(self) -> AuditHead:
        """Return the last line."""
        return AuditHead.model_validate(await self._database.send("GET", "/audit/head"))

    async def erase(self, query: SubjectQuery, tenant: str, limit: int, cursor: str | None) -> ErasePage:
        """Erase reasons of a page that contain the value of a subject."""
        place = {"tenant": tenant, "limit": str(limit), "cursor": cursor}
        page = await self._database.send(
            "POST", "/audit/subjects/erase", query=place, body=query.model_dump(mode="json"), timeout_s=PAGE_TIMEOUT_S
        )
        return ErasePage.model_validate(page)
