"""Brings the tables of the store up to date, one service at a time.

Alembic knows which steps lead from one shape to the next and writes them as one SQL script, which runs in one
transaction over the connections of the store: no second driver is needed, and PgBouncer may stand in between.
"""

from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_MS = 30_000
# Any two numbers that no other program takes for an advisory lock in the same database.
LOCK = (0x7665, 0x7374)

FIND_SHAPE = "SELECT to_regclass('vestibule.alembic_version') IS NOT NULL"
READ_SHAPE = "SELECT version_num FROM vestibule.alembic_version"
FIND_SCHEMA = "SELECT to_regnamespace('vestibule') IS NOT NULL"
ENCODING = "SELECT current_setting('server_encoding')"


class SchemaError(Exception):
    """The tables cannot be brought into the shape that this program knows; says why."""


def newest_shape() -> str:
    """Return the shape of the tables that this program works with."""
    head = _directory().get_current_head()
    if head is None:
        raise SchemaError("no migration was found beside the program")
    return head


async def shape_of(connection: asyncpg.Connection) -> str | None:
    """Return the shape that the tables have, None where there are none."""
    if not await connection.fetchval(FIND_SHAPE):
        return None
    shape: str | None = await connection.fetchval(READ_SHAPE)
    return shape


async def migrate(connection: asyncpg.Connection) -> bool:
    """Bring the tables into the newest shape; False where they had it. Others that migrate at the same time wait.

    Raises:
        SchemaError: a newer program has been at work here, or the database does not keep UTF-8.
    """
    async with connection.transaction():
        shape = await shape_of(connection)
        if shape == newest_shape():
            return False
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *LOCK)
        shape = await shape_of(connection)  # another may have been faster
        if shape == newest_shape():
            return False
        await _refuse_other_encodings(connection)
        if not await connection.fetchval(FIND_SCHEMA):
            await connection.execute("CREATE SCHEMA vestibule")
        await connection.execute(script_from(shape))
    return True


def script_from(shape: str | None) -> str:
    """Return the SQL that leads from `shape` to the newest one.

    Raises:
        SchemaError: this program does not know `shape`.
    """
    # Loaded here, since at most starts there is nothing to do.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415

    directory = _directory()
    if shape is not None and shape not in {script.revision for script in directory.walk_revisions()}:
        raise SchemaError(f"the tables have the shape `{shape}`, which this program does not know: update it")
    script = StringIO()
    context = EnvironmentContext(
        Config(),
        directory,
        fn=lambda current, _: directory._upgrade_revs("head", current),
        as_sql=True,
        starting_rev=shape,
        destination_rev="head",
    )
    with context:
        context.configure(
            dialect_name="postgresql",
            output_buffer=script,
            transactional_ddl=False,  # the caller has a transaction already
            version_table_schema="vestibule",
        )
        context.run_migrations()
    return script.getvalue()


def _directory() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])


async def _refuse_other_encodings(connection: asyncpg.Connection) -> None:
    encoding = await connection.fetchval(ENCODING)
    if encoding != "UTF8":
        raise SchemaError(f"the database keeps text as {encoding}; create one with ENCODING 'UTF8'")
