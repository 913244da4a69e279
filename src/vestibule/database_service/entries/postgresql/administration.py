"""Migrates and checks the database of the PostgreSQL store, for the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from vestibule.database_service.entries.postgresql import schema
from vestibule.database_service.entries.postgresql.address import PostgresqlAddress
from vestibule.database_service.entries.postgresql.failures import FAILURES, name_of
from vestibule.database_service.entries.store import StoreRefused
from vestibule.database_service.settings import DatabaseSettings

# Without these an answer does not mean that it is on disk.
NEEDED_ON = ("fsync", "full_page_writes")
READ_SETTING = "SELECT current_setting($1)"
INVALID_INDEXES = """
    SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = to_regnamespace('vestibule') AND NOT i.indisvalid
"""


async def migrate(settings: DatabaseSettings) -> bool:
    """Migrate the tables to the head revision; False where they have it.

    Raises:
        StoreRefused: they cannot be.
    """
    async with _connected(settings) as connection:
        return await schema.migrate(connection)


async def check(settings: DatabaseSettings) -> list[str]:
    """Return what is wrong with the tables and with the settings of the server; nothing is changed.

    Raises:
        StoreRefused: the server cannot be asked.
    """
    async with _connected(settings) as connection:
        faults = [
            f"the server has {name} = off: what was answered can be lost with its machine"
            for name in NEEDED_ON
            if await connection.fetchval(READ_SETTING, name) == "off"
        ]
        if await connection.fetchval(READ_SETTING, "transaction_read_only") == "on":
            faults.append("the server takes no writes")
        faults += [f"the index {row[0]} is not valid" for row in await connection.fetch(INVALID_INDEXES)]
        revision = await schema.schema_revision(connection)
    if revision is None:
        return [*faults, "the tables are not there; `vestibule db migrate` makes them"]
    if revision != schema.head_revision():
        faults.append(
            f"the tables have the schema revision `{revision}`, and this program needs `{schema.head_revision()}`"
        )
    return faults


@asynccontextmanager
async def _connected(settings: DatabaseSettings) -> AsyncIterator[Any]:
    address = PostgresqlAddress.parse(settings.database_url)
    try:
        connection = await asyncpg.connect(
            address.dsn, timeout=settings.database_timeout_s, statement_cache_size=address.statement_cache_size
        )
        try:
            yield connection
        finally:
            await connection.close(timeout=settings.database_timeout_s)
    except schema.SchemaError as error:
        raise StoreRefused(str(error)) from error
    except FAILURES as error:
        raise StoreRefused(f"{address} cannot be used ({name_of(error)})") from error
