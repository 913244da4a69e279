"""Group commit: pending changes share one transaction, and each caller is answered after the commit."""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog

from vestibule.contracts.errors import PreconditionFailed
from vestibule.database_service.entries.postgresql.changes import EntryChange, StepOutcomes, columns_of, outcomes_of
from vestibule.database_service.entries.postgresql.connections import Connections
from vestibule.database_service.entries.postgresql.failures import (
    FAILURES,
    INVALID_CHANGE,
    name_of,
    unavailable_for_writing,
)

MAX_CHANGES = 1000
# Small enough that a group is sent and written in a fraction of a second.
MAX_BYTES = 4 * 1024 * 1024
APPLY = "SELECT step, is_refused, version FROM vestibule.apply_changes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"


class _PendingChange(NamedTuple):
    change: EntryChange
    outcome: "asyncio.Future[Any]"


class GroupCommit:
    """Runs one transaction after another, each with all pending changes."""

    def __init__(self, connections: Connections, lock_timeout_ms: int, earlier_versions: int = 0) -> None:
        self._connections = connections
        self.lock_timeout_ms = lock_timeout_ms
        self._earlier_versions = earlier_versions
        self._waiting: deque[_PendingChange] = deque()
        self._has_arrived = asyncio.Event()
        self._is_open = False
        self._committing: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("vestibule.store")

    async def __aenter__(self) -> Self:
        self._is_open = True
        self._committing = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        self._has_arrived.set()
        if self._committing is not None:
            await self._committing

    async def change(self, change: EntryChange) -> Any:
        """Return what `change` concludes, once it is on disk.

        Raises:
            PreconditionFailed: the change is refused; the others of its group are not.
            Unavailable: its transaction was not confirmed.
        """
        if not self._is_open:
            raise RuntimeError("a store is used inside its own context")
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_PendingChange(change, outcome))
        self._has_arrived.set()
        return await outcome

    async def _run(self) -> None:
        while self._is_open or self._waiting:
            if not self._waiting:
                self._has_arrived.clear()
                await self._has_arrived.wait()
                continue
            await self._commit(self._take_group())

    def _take_group(self) -> list[_PendingChange]:
        group = [self._waiting.popleft()]
        size = group[0].change.size
        while self._waiting and len(group) < MAX_CHANGES and size + self._waiting[0].change.size <= MAX_BYTES:
            group.append(self._waiting.popleft())
            size += group[-1].change.size
        return group

    async def _commit(self, group: list[_PendingChange]) -> None:
        try:
            found = await self._apply([one.change for one in group])
        except INVALID_CHANGE as error:
            if len(group) > 1:  # one of them is invalid; the others succeed on their own
                for one in group:
                    await self._commit([one])
                return
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001 - if this loop ended, every later write would wait forever
            self._fail(group, error)
        else:
            for one, outcomes in zip(group, found, strict=True):
                _answer(one, outcomes)

    async def _apply(self, changes: list[EntryChange]) -> list[StepOutcomes]:
        rows = await self._connections.fetch(APPLY, self.lock_timeout_ms, *columns_of(changes, self._earlier_versions))
        return outcomes_of(changes, ((row[0], row[1], row[2]) for row in rows))

    def _fail(self, group: list[_PendingChange], error: Exception) -> None:
        self._log.error("store_write_failed", error=name_of(error), is_expected=isinstance(error, FAILURES))
        for one in group:
            if not one.outcome.done():
                one.outcome.set_exception(unavailable_for_writing(error))


def _answer(one: _PendingChange, outcomes: StepOutcomes) -> None:
    if one.outcome.done():  # the caller may be cancelled; the change is committed all the same
        return
    try:
        one.outcome.set_result(one.change.conclude(outcomes))
    except PreconditionFailed as refusal:
        one.outcome.set_exception(refusal)
