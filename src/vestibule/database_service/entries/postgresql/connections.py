"""The connections to PostgreSQL: pooled, with timeouts, and reopened when the server is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from operator import attrgetter
from typing import Any, Self

import asyncpg
import structlog
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.database_service.entries.postgresql import schema
from vestibule.database_service.entries.postgresql.changes import EntryChange, StepOutcomes, columns_of, outcomes_of
from vestibule.database_service.entries.postgresql.server import (
    CONNECTION_LOST,
    FAILURES,
    INVALID_CHANGE,
    NOT_WRITABLE,
    TRANSIENT,
    PostgresqlAddress,
    name_of,
    unavailable_for_reading,
    unavailable_for_writing,
)
from vestibule.database_service.entries.store import StoreRefused
from vestibule.runtime.batching import Batcher

# How long a connection may take to cancel an abandoned statement, before it is closed.
RELEASE_TIMEOUT_S = 2
MIGRATION_TIMEOUT_S = 60
ATTEMPTS = 3


DEFAULT_POOL_SIZE = 10
DEFAULT_STATEMENTS = 100
MAX_CHANGES = 1000
# Small enough that a group is sent and written in a fraction of a second.
MAX_BYTES = 4 * 1024 * 1024
APPLY = "SELECT step, is_refused, version FROM vestibule.apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"


class Connections:
    """A pool of connections to a database whose tables are up to date.

    Where the server does not answer at the start, every call tries to migrate the tables first.
    """

    def __init__(self, address: PostgresqlAddress, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._pool: asyncpg.Pool[Record] | None = None
        self._is_migrated = False
        self._migrating = asyncio.Lock()
        self._releases: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("vestibule.store")

    async def __aenter__(self) -> Self:
        # Without a connection at first, so that it opens also while the server is down.
        self._pool = await asyncpg.create_pool(
            self._address.dsn,
            min_size=0,
            max_size=self._address.pool_size,
            timeout=self._timeout_s,
            command_timeout=self._timeout_s,
            statement_cache_size=self._address.statement_cache_size,
            server_settings={"application_name": "vestibule"},
            reset=_skip_reset,
        )
        try:
            async with asyncio.timeout(MIGRATION_TIMEOUT_S):
                await self._migrate()
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            await self._close()
            raise StoreRefused(f"{self._address} does not accept the user or the password of the URL") from error
        except FAILURES as error:
            self._log.warning("store_unreachable", address=str(self._address), error=name_of(error))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close()

    async def read(self, statement: str, *parameters: object) -> list[Record]:
        """Run a statement that changes nothing, and return its rows.

        Raises:
            Unavailable: the server did not answer.
        """
        try:
            try:
                return await self.fetch(statement, *parameters)
            except CONNECTION_LOST:  # a read can be retried, and the server may be back
                return await self.fetch(statement, *parameters)
        except FAILURES as error:
            raise unavailable_for_reading(error) from error

    async def change(self, statement: str, *parameters: object) -> list[Record]:
        """Run a statement in a transaction of its own, and return its rows once it is on disk.

        Raises:
            Unavailable: the server did not confirm it.
        """
        try:
            return await self.fetch(statement, *parameters)
        except FAILURES as error:
            self._log.error("store_write_failed", error=name_of(error))
            raise unavailable_for_writing(error) from error

    async def fetch(self, statement: str, *parameters: object) -> list[Record]:
        """Run one statement in its own transaction and return its rows; retry on serialization failures and deadlocks.

        Raises:
            Exception: one of `server.FAILURES`.
        """
        async with asyncio.timeout(self._timeout_s):
            if not self._is_migrated:
                await self._migrate()
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    async with self._acquire() as connection:
                        return await self._run(connection, statement, parameters)
                except TRANSIENT:
                    if attempt == ATTEMPTS:
                        raise
        raise AssertionError("unreachable")

    async def _run(self, connection: Any, statement: str, parameters: tuple[object, ...]) -> list[Record]:
        rows: list[Record]
        if self._address.prepares:
            rows = await connection.fetch(statement, *parameters)
        else:
            # The unnamed statement is prepared and run in two messages, which a pooler keeps together in a transaction.
            async with connection.transaction():
                rows = await connection.fetch(statement, *parameters)
        return rows

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator["PoolConnectionProxy[Record]"]:
        pool = self._open_pool()
        connection = await pool.acquire()
        try:
            yield connection
        except BaseException as error:
            # Its statement may have to be cancelled first; the caller does not wait for that.
            release = asyncio.create_task(_release(pool, connection))
            self._releases.add(release)
            release.add_done_callback(self._releases.discard)
            if isinstance(error, NOT_WRITABLE):
                await pool.expire_connections()  # another server may be the primary by now
            raise
        await pool.release(connection)

    async def _migrate(self) -> None:
        async with self._migrating:
            if self._is_migrated:
                return
            async with self._acquire() as connection:
                if await schema.migrate_over(connection):
                    self._log.info("store_migrated", address=str(self._address), revision=schema.head_revision())
            self._is_migrated = True

    async def _close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), self._timeout_s)
        except FAILURES:
            pool.terminate()
        if self._releases:
            await asyncio.wait(self._releases)

    def _open_pool(self) -> "asyncpg.Pool[Record]":
        if self._pool is None:
            raise RuntimeError("a store is used inside its own context")
        return self._pool


async def _release(pool: "asyncpg.Pool[Record]", connection: "PoolConnectionProxy[Record]") -> None:
    with suppress(*FAILURES):
        await pool.release(connection, timeout=RELEASE_TIMEOUT_S)


async def _skip_reset(_connection: Any) -> None:
    # No statement changes a connection beyond its transaction, so a reset would be a wasted round trip.
    return None


class GroupCommit:
    """Runs one transaction after another; `batcher` takes the changes, and raises what each is refused for."""

    def __init__(self, connections: Connections, lock_timeout_ms: int, earlier_versions: int = 0) -> None:
        self._connections = connections
        self.lock_timeout_ms = lock_timeout_ms
        self._earlier_versions = earlier_versions
        self.batcher: Batcher[EntryChange, Any] = Batcher(
            self._commit, most=MAX_CHANGES, weigh=attrgetter("size"), heaviest=MAX_BYTES, at_once=1
        )
        self._log = structlog.get_logger("vestibule.store")

    async def _commit(self, changes: list[EntryChange]) -> list[Any]:
        columns = columns_of(changes, self._earlier_versions)
        try:
            rows = await self._connections.fetch(APPLY, self.lock_timeout_ms, *columns)
        except INVALID_CHANGE as error:
            if len(changes) > 1:  # one of them is invalid; the others succeed on their own
                return [await self._commit_alone(change) for change in changes]
            raise self._failed(error) from error
        except Exception as error:
            raise self._failed(error) from error
        return [_conclude(*one) for one in zip(changes, outcomes_of(changes, rows), strict=True)]

    async def _commit_alone(self, change: EntryChange) -> Any:
        try:
            return (await self._commit([change]))[0]
        except Unavailable as error:
            return error

    def _failed(self, error: Exception) -> Unavailable:
        self._log.error("store_write_failed", error=name_of(error), is_expected=isinstance(error, FAILURES))
        return unavailable_for_writing(error)


def _conclude(change: EntryChange, outcomes: StepOutcomes) -> Any:
    try:
        return change.conclude(outcomes)
    except PreconditionFailed as refusal:
        return refusal
