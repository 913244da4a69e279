"""Group commit: changes that arrive during a transaction share the next one."""

from operator import attrgetter
from typing import Any

import structlog

from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.database_service.entries.postgresql.changes import EntryChange, StepOutcomes, columns_of, outcomes_of
from vestibule.database_service.entries.postgresql.connections import Connections
from vestibule.database_service.entries.postgresql.server import (
    FAILURES,
    INVALID_CHANGE,
    name_of,
    unavailable_for_writing,
)
from vestibule.runtime.batching import Batcher

MAX_CHANGES = 1000
# Small enough that a group is sent and written in a fraction of a second.
MAX_BYTES = 4 * 1024 * 1024
APPLY = "SELECT step, is_refused, version FROM vestibule.apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"


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
