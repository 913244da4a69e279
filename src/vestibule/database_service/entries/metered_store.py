"""Measures a store: how long each operation took, how it ended, and how many changes shared a commit."""

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self, cast, runtime_checkable

from vestibule.contracts.errors import Unavailable, VestibuleError
from vestibule.database_service.entries.store import Store
from vestibule.service_kit.metrics.catalogue import STORE_COMMIT_CHANGES, STORE_DURATION
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.tracing import span


@runtime_checkable
class SharesCommits(Protocol):
    """A store in which changes share commits."""

    def observe_commits(self, on_commit: Callable[[int], None]) -> None:
        """Have `on_commit` called after each commit, in whatever thread, with the number of changes that shared it."""
        ...


class _MeteredStore:
    """A store over another, which measures every operation except opening and closing."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    async def __aenter__(self) -> Self:
        await self._store.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._store.__aexit__(kind, error, trace)

    def __getattr__(self, operation: str) -> Any:
        work = getattr(self._store, operation)
        measured = self._measure(operation, work) if operation in OPERATIONS else work
        # Found without `__getattr__` from now on.
        setattr(self, operation, measured)
        return measured

    def _measure(self, operation: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def measured(*values: Any, **options: Any) -> Any:
            outcome, began = "ok", time.perf_counter()
            try:
                with span(f"store {operation}"):
                    return await work(*values, **options)
            except Exception as error:
                is_refusal = isinstance(error, VestibuleError) and not isinstance(error, Unavailable)
                outcome = "refused" if is_refusal else "failed"
                raise
            finally:
                self._metrics.observe(STORE_DURATION, time.perf_counter() - began, operation, outcome)

        return measured


# How long a watcher waits for a change says nothing about the store.
OPERATIONS = frozenset(
    {name for name, kind in vars(Store).items() if not name.startswith("_") and callable(kind)} - {"wait"}
)


def metered(store: Store, metrics: Metrics) -> Store:
    """Return `store` measured by `metrics`."""
    for operation in OPERATIONS:
        metrics.expect(STORE_DURATION, operation, "ok")
        metrics.expect(STORE_DURATION, operation, "failed")
    if isinstance(store, SharesCommits):
        store.observe_commits(lambda changes: metrics.observe(STORE_COMMIT_CHANGES, changes))
    return cast(Store, _MeteredStore(store, metrics))
