"""A PostgreSQL server: its address, and what its failures mean: what is wrong, and whether anything was written."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from vestibule.contracts.errors import Unavailable

DEFAULT_POOL_SIZE = 10
DEFAULT_STATEMENTS = 100
# Raised by a connection that breaks, hangs or is refused.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
# The transaction conflicted with another and changed nothing; a retry may succeed.
TRANSIENT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
# One change is invalid, which must not affect the others of its transaction.
INVALID_CHANGE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
NOT_WRITABLE = (asyncpg.ReadOnlySQLTransactionError,)
CONNECTION_LOST = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, ConnectionResetError)
# After these the server may have committed nevertheless.
_UNDECIDED = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
_NOT_CONNECTED = (asyncpg.CannotConnectNowError, ConnectionRefusedError, asyncpg.InvalidAuthorizationSpecificationError)
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (asyncpg.DiskFullError, "the disk is full"),
    (asyncpg.ReadOnlySQLTransactionError, "it is read-only"),
    (asyncpg.LockNotAvailableError, "it is locked"),
    (asyncpg.TooManyConnectionsError, "it has no free connections"),
    (asyncpg.CannotConnectNowError, "it is starting or stopping"),
    (asyncpg.AdminShutdownError, "it is stopping"),
    (asyncpg.InvalidAuthorizationSpecificationError, "it rejects our credentials"),
    (asyncpg.InvalidSQLStatementNameError, "a connection pooler is in use; see `statement_cache_size` in its manual"),
    (
        asyncpg.DuplicatePreparedStatementError,
        "a connection pooler is in use; see `statement_cache_size` in its manual",
    ),
    (asyncpg.QueryCanceledError, "it did not answer in time"),
    (asyncpg.PostgresConnectionError, "the connection broke"),
    (asyncpg.PostgresError, "it failed"),
    (TimeoutError, "it did not answer in time"),
    (ConnectionRefusedError, "nothing answers at its address"),
    (OSError, "the connection broke"),
    (asyncpg.InterfaceError, "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class PostgresqlAddress:
    """An address; its `str()` has neither user name nor password."""

    dsn: str = field(repr=False)
    pool_size: int = DEFAULT_POOL_SIZE
    statement_cache_size: int = DEFAULT_STATEMENTS

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse `pool_size` and `statement_cache_size`; all other options are for the driver, as `sslmode` is.

        Raises:
            ValueError: one of them is not a valid number.
        """
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True)
        own = {"pool_size": DEFAULT_POOL_SIZE, "statement_cache_size": DEFAULT_STATEMENTS}
        for name, least in (("pool_size", 1), ("statement_cache_size", 0)):
            for value in (value for option, value in options if option == name):
                if not value.isdecimal() or int(value) < least:
                    raise ValueError(f"`{name}` in the URL of the store must be a number, at least {least}")
                own[name] = int(value)
        rest = urlencode([(name, value) for name, value in options if name not in own])
        return cls(urlunsplit(parts._replace(query=rest)), **own)

    @property
    def prepares(self) -> bool:
        """Whether a connection keeps prepared statements from one transaction to the next."""
        return self.statement_cache_size > 0

    def __str__(self) -> str:
        parts = urlsplit(self.dsn)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def name_of(error: BaseException) -> str:
    """Return the type and SQLSTATE of a failure for the log, never its text, which may quote a value."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__


def unavailable_for_reading(error: BaseException) -> Unavailable:
    """Return the error for a reader."""
    return Unavailable("database", f"The store is unavailable: {_reason(error)}.")


def unavailable_for_writing(error: BaseException) -> Unavailable:
    """Return the error for the callers of an unconfirmed transaction."""
    is_undecided = isinstance(error, _UNDECIDED) and not isinstance(error, _NOT_CONNECTED)
    written = "It may have been written; read the entry again." if is_undecided else "Nothing was written."
    return Unavailable("database", f"The store is unavailable: {_reason(error)}. {written}")


def _reason(error: BaseException) -> str:
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "it failed")
