"""Measures a store: how long each operation took, how it ended, and how many changes shared a commit."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from vestibule.contracts.errors import Unavailable, VestibuleError
from vestibule.database_service.entries.store import Store
from vestibule.service_kit.metrics.catalogue import STORE_COMMIT_CHANGES, STORE_DURATION
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.tracing import span

# How long a watcher waits for a change says nothing about the store.
OPERATIONS = frozenset(
    {name for name, kind in vars(Store).items() if not name.startswith("_") and callable(kind)} - {"wait"}
)


@runtime_checkable
class SharesCommits(Protocol):
    """A store in which changes share commits; `on_commit` is called after each, in any thread, with their number."""

    on_commit: Callable[[int], None]


def meter(store: Store, metrics: Metrics) -> None:
    """Measure every operation of `store` from now on."""
    for operation in OPERATIONS:
        metrics.expect(STORE_DURATION, operation, "ok")
        metrics.expect(STORE_DURATION, operation, "failed")
        setattr(store, operation, _measured(operation, getattr(store, operation), metrics))
    if isinstance(store, SharesCommits):
        store.on_commit = lambda changes: metrics.observe(STORE_COMMIT_CHANGES, changes)


def _measured(operation: str, work: Callable[..., Awaitable[Any]], metrics: Metrics) -> Callable[..., Awaitable[Any]]:
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
            metrics.observe(STORE_DURATION, time.perf_counter() - began, operation, outcome)

    return measured
