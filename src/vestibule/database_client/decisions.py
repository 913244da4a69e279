"""The client of decisions in the database service."""

from collections.abc import Mapping, Sequence
from datetime import date

from vestibule.contracts.decisions import (
    DecisionBatch,
    DecisionCount,
    DecisionCounts,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    FilePosition,
    FilePositions,
    FoundDecisions,
    HitCounts,
    HitKind,
)
from vestibule.database_client.transport import DatabaseTransport


class DecisionClient:
    """Calls the database service. Every method raises `Unavailable` where it does not confirm the outcome."""

    def __init__(self, database: DatabaseTransport) -> None:
        self._database = database

    async def ship(self, batch: DecisionBatch) -> int:
        """Record a batch if it goes on where its file was recorded to; return how far the file is recorded."""
        body = batch.model_dump(mode="json", exclude_none=True)
        return FilePosition.model_validate(await self._database.send("POST", "/decisions/ship", body=body)).position

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded; those of which nothing was are absent."""
        found = await self._database.send("POST", "/decisions/positions", body={"files": files})
        return FilePositions.model_validate(found).positions

    async def page(self, wanted: DecisionFilter, limit: int, cursor: str | None) -> DecisionPage:
        """Return decisions, the newest first."""
        given = wanted.model_dump(mode="json", exclude_none=True)
        query = {**given, "limit": str(limit), "cursor": cursor}
        return DecisionPage.model_validate(await self._database.send("GET", "/decisions", query=query))

    async def find(self, ids: Sequence[str], tenant: str | None) -> list[DecisionRecord]:
        """Return decisions by their ids, or by those of their requests, tasks or alerts; the oldest first.

        `tenant` is None for those of all.
        """
        body = {"ids": ids} | ({} if tenant is None else {"tenant": tenant})
        found = await self._database.send("POST", "/decisions/find", body=body)
        return FoundDecisions.model_validate(found).decisions

    async def counts(self, first: date, last: date, tenant: str | None) -> list[DecisionCount]:
        """Return the counts of the days from `first` to `last`."""
        query = {"first": first.isoformat(), "last": last.isoformat(), "tenant": tenant}
        found = await self._database.send("GET", "/decisions/counts", query=query)
        return DecisionCounts.model_validate(found).counts

    async def hits(self, kind: HitKind, first: date, last: date, tenant: str | None) -> dict[str, int]:
        """Return in how many decisions of these days each rule decided, or each allowance applied, by its id."""
        query = {"kind": kind, "first": first.isoformat(), "last": last.isoformat(), "tenant": tenant}
        return HitCounts.model_validate(await self._database.send("GET", "/decisions/hits", query=query)).hits
