"""The register of tokens in the same PostgreSQL database as the entries."""

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from vestibule.contracts.tokens import TokenUse
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.postgresql import PostgresqlStore
from vestibule.database_service.tokens.register import (
    CHANGES_KEPT,
    USES_KEPT_S,
    ChangedRows,
    RegisterKind,
    TokenRow,
    parse_position,
)

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections

POSITION = "SELECT change, mark FROM vestibule.token_changes ORDER BY change DESC LIMIT 1"
PAGE = "SELECT id, change, record FROM vestibule.tokens WHERE id > $1 ORDER BY id LIMIT $2"
# The beginning of the log is known as long as its first change is.
IS_KNOWN = """
    SELECT CASE WHEN $1::bigint = 0 THEN coalesce((SELECT min(change) FROM vestibule.token_changes), 1) = 1
        ELSE EXISTS (SELECT FROM vestibule.token_changes WHERE change = $1 AND mark = $2) END
"""
CHANGES = "SELECT change, mark, id FROM vestibule.token_changes WHERE change > $1 ORDER BY change LIMIT $2"
FIND = "SELECT id, change, record FROM vestibule.tokens WHERE id = ANY ($1)"
REPLACE = "SELECT vestibule.replace_token($1, $2, $3, $4, $5)"
REENCRYPT = "UPDATE vestibule.tokens SET record = $1 WHERE id = $2 AND change = $3 AND record = $4 RETURNING id"
# In the order of their ids, so that two services that note the same ones do not wait for each other.
NOTE_USES = """
    INSERT INTO vestibule.token_uses AS u (id, last_used_at, refused)
    SELECT * FROM unnest($1::text[], $2::double precision[], $3::bigint[]) AS new (id, at, refused) ORDER BY 1
    ON CONFLICT (id) DO UPDATE SET
        last_used_at = greatest(u.last_used_at, excluded.last_used_at), refused = u.refused + excluded.refused
"""
FORGET_USES = """
    DELETE FROM vestibule.token_uses WHERE last_used_at < extract(epoch FROM clock_timestamp()) - $1::double precision
"""
FIND_USES = "SELECT id, last_used_at, refused FROM vestibule.token_uses WHERE id = ANY ($1)"


class PostgresqlTokenRegister:
    """Tokens in tables beside the entries; several database services may work on them at the same time."""

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections

    async def prepare(self) -> None:
        """Do nothing: the migrations of the store create the tables."""

    async def position(self) -> str:
        """Return the position of the last change."""
        rows = await self._connections.read(POSITION)
        return f"{rows[0]['change']}.{rows[0]['mark']}" if rows else "0."

    async def page(self, limit: int, after: str | None) -> list[TokenRow]:
        """Return at most `limit` tokens whose ids are after `after`, in that order."""
        return [TokenRow(*tuple(row)) for row in await self._connections.read(PAGE, after or "", limit)]

    async def changes(self, position: str, limit: int) -> ChangedRows | None:
        """Return what at most `limit` changes after `position` have led to; None if it is no position of this log."""
        number, mark = parse_position(position)
        if not (await self._connections.read(IS_KNOWN, number, mark))[0][0]:
            return None
        logged = await self._connections.read(CHANGES, number, limit)
        if not logged:
            return ChangedRows(position, [], [], has_more=False)
        ids = {row["id"] for row in logged}
        rows = [TokenRow(*tuple(row)) for row in await self._connections.read(FIND, sorted(ids))]
        gone = sorted(ids - {row.id for row in rows})
        last = logged[-1]
        return ChangedRows(f"{last['change']}.{last['mark']}", rows, gone, has_more=len(logged) == limit)

    async def replace(self, token_id: str, record: str | None, expected: int | None) -> bool:
        """Write the record of a token, or remove it with its use, if its last change is `expected`; say whether."""
        mark = secrets.token_hex(8)
        rows = await self._connections.change(REPLACE, token_id, record, expected, mark, CHANGES_KEPT)
        return bool(rows[0][0])

    async def reencrypt(self, row: TokenRow, record: str) -> bool:
        """Write the same token encrypted anew, unless it has changed meanwhile."""
        return bool(await self._connections.change(REENCRYPT, record, row.id, row.change, row.record))

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Add to the uses of tokens."""
        columns = ([one.id for one in uses], [one.last_used_at for one in uses], [one.refused for one in uses])
        await self._connections.change(NOTE_USES, *columns)
        await self._connections.change(FORGET_USES, USES_KEPT_S)

    async def find_uses(self, token_ids: Sequence[str]) -> list[TokenUse]:
        """Return the uses of those of the tokens that have some."""
        rows = await self._connections.read(FIND_USES, list(token_ids))
        return [TokenUse(id=row["id"], last_used_at=row["last_used_at"], refused=row["refused"]) for row in rows]


def build(store: Store) -> PostgresqlTokenRegister:
    """Return the register in the database of `store`."""
    return PostgresqlTokenRegister(cast(PostgresqlStore, store).connections)


REGISTER = RegisterKind((PostgresqlStore,), build)
