"""Keeps timers of the worker's event loop alive: Celery discards all timers when it loses its connection."""

from collections.abc import Callable
from typing import Any

from celery import Celery, bootsteps


def on_event_loop(app: Celery, begin: Callable[[Any], None]) -> None:
    """Call `begin` with the timer of the loop, at the start of a worker and after each reconnect."""

    class Begin(bootsteps.StartStopStep):  # type: ignore[misc]
        """A step of the consumer; Celery calls it each time that the event loop restarts."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
            begin(hub.timer)

    app.steps["consumer"].add(Begin)
