"""The audit in the same PostgreSQL database as the entries."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import orjson

from vestibule.contracts.audit import NO_HASH, AuditHead, AuditPage, AuditQuery, AuditRecord, canonical
from vestibule.database_service.audit.audit_store import AuditStoreKind, conditions_of, page_of
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.postgresql import PostgresqlStore

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections

ADD = "SELECT vestibule.add_audit($1)"
HEAD = "SELECT seq, hash FROM vestibule.audit ORDER BY seq DESC LIMIT 1"
LINES = """
    SELECT a.seq, a.previous, a.hash, a.record, r.reason, r.salt
    FROM vestibule.audit a LEFT JOIN vestibule.audit_reasons r USING (seq)
"""
REASONS = """
    SELECT seq, reason FROM vestibule.audit_reasons WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
ERASE = "DELETE FROM vestibule.audit_reasons WHERE seq = ANY ($1) RETURNING seq"


class PostgresqlAuditStore:
    """The audit in tables beside the entries; services that add lines at the same time do so one after the other."""

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections

    async def prepare(self) -> None:
        """Do nothing: the migrations of the store create the tables."""

    async def add(self, records: Sequence[AuditRecord]) -> int:
        """Add a line for each act that has none with this outcome."""
        rows = [
            {
                **record.model_dump(
                    mode="json",
                    include={"act_id", "outcome", "act", "tenant", "token_id", "token_name", "after", "reason"},
                ),
                "at_us": record.at_us,
                "record": canonical(record),
                "salt": record.reason_salt,
            }
            for record in records
        ]
        ((added,),) = await self._connections.change(ADD, orjson.dumps(rows).decode())
        return int(added)

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return lines in the order that is asked for."""
        ending, values = conditions_of(query, "${}".format, "a.tenant = ANY ({})")
        return page_of(await self._connections.read(LINES + ending, *values), query.limit)

    async def head(self) -> AuditHead:
        """Return the last line."""
        for row in await self._connections.read(HEAD):
            return AuditHead(seq=row["seq"], hash=row["hash"])
        return AuditHead(seq=0, hash=NO_HASH)

    async def reasons(self, tenant: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Return reasons of a tenant."""
        rows = await self._connections.read(REASONS, tenant, after, limit)
        return [(row["seq"], row["reason"]) for row in rows]

    async def erase_reasons(self, numbers: Sequence[int]) -> int:
        """Erase reasons."""
        return len(await self._connections.change(ERASE, list(numbers)))


def build(store: Store) -> PostgresqlAuditStore:
    """Return the audit in the database of `store`."""
    return PostgresqlAuditStore(cast(PostgresqlStore, store).connections)


AUDIT = AuditStoreKind((PostgresqlStore,), build)
