"""Maps failures of PostgreSQL to errors for the caller: what is wrong, and whether anything was written."""

import asyncpg

from vestibule.contracts.errors import Unavailable

# Raised by a connection that breaks, hangs or is refused.
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
# The transaction conflicted with another and changed nothing; a retry may succeed.
TRANSIENT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
# One change is invalid, which must not affect the others of its transaction.
INVALID_CHANGE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
NOT_WRITABLE = (asyncpg.ReadOnlySQLTransactionError,)
CONNECTION_LOST = (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, ConnectionResetError)
# After these the server may have committed all the same.
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
    (asyncpg.InvalidSQLStatementNameError, "a pooler stands in between; see `statement_cache_size` in its manual"),
    (asyncpg.DuplicatePreparedStatementError, "a pooler stands in between; see `statement_cache_size` in its manual"),
    (asyncpg.QueryCanceledError, "it did not answer in time"),
    (asyncpg.PostgresConnectionError, "the connection broke"),
    (asyncpg.PostgresError, "it failed"),
    (TimeoutError, "it did not answer in time"),
    (ConnectionRefusedError, "nothing answers at its address"),
    (OSError, "the connection broke"),
    (asyncpg.InterfaceError, "the connection broke"),
)


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
