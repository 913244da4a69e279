"""Celery's pool of processes, in which the parent writes the results.

A process of the pool tells its parent that a task has ended in any case. With the result in the same message, the
parent sends it to Redis together with the acknowledgement, and the process takes the next task meanwhile.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from celery.concurrency.asynpool import AsynPool
from celery.concurrency.asynpool import Worker as PoolProcess
from celery.concurrency.prefork import TaskPool

from vestibule.client_service.queue.result_backend import TaskEnd


class _HandingProcess(PoolProcess):  # type: ignore[misc]
    initargs: Any

    def prepare_result(self, result: Any) -> Any:
        """Return what a task came to for the parent; Celery's text of a result, which nobody reads, makes room."""
        app, _hostname = self.initargs
        has_failed, _text, runtime_s = result
        end = app.backend.take_end()
        # A task whose end could not be finished has another one, which is written.
        return result if has_failed or end is None else (has_failed, end, runtime_s)


class _HandingProcesses(AsynPool):  # type: ignore[misc]
    Worker = _HandingProcess
    # Celery's own.
    _quick_put: Callable[[Any], None]
    _all_inqueues: set[int]
    _active_writes: set[int]
    _busy_workers: set[int]

    def _create_write_handlers(self, hub: Any, *args: Any, **options: Any) -> None:
        """Give a task to a free process at once; Celery waits for the event loop to find that its pipe has room."""
        super()._create_write_handlers(hub, *args, **options)
        put, write = self._quick_put, hub.consolidate_callback

        def put_and_write(task: Any) -> None:
            put(task)
            if free := self._all_inqueues - self._active_writes - self._busy_workers:
                write([*free])

        self._quick_put = put_and_write


class HandingPool(TaskPool):  # type: ignore[misc]
    """The pool; its parent puts ends that it is handed into the outbox of the application."""

    Pool = _HandingProcesses
    app: Any

    def apply_async(self, target: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run a task as Celery does."""
        if callback := options.get("callback"):
            options["callback"] = partial(self._take, callback)
        return super().apply_async(target, args, kwargs, **options)

    def _take(self, callback: Callable[[Any], Any], result: Any) -> Any:
        has_failed, end, runtime_s = result
        if isinstance(end, TaskEnd):
            # First, so that it goes out before the acknowledgement.
            self.app.ends.add(end.command(self.app.backend.expires))
            result = (has_failed, None, runtime_s)
        return callback(result)
