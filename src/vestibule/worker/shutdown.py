"""Ends a worker in time that was asked to end, also while Redis does not answer.

Celery closes its connections to Redis first, one after the other, and each of them waits for Redis and tries again:
half a minute together. Containers are killed then, and a deployment that stops as a whole takes Redis away first.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery.apps.worker import Worker
from celery.worker import state

# Longer than a shutdown takes while Redis answers.
IDLE_ENDS_WITHIN_S = 3.0
# Longer than running tasks are waited for, and shorter than what deployments give.
ENDS_WITHIN_S = 20.0
LOOKS_EVERY_S = 0.1


class PunctualWorker(Worker):  # type: ignore[misc]
    """Celery's worker, which ends in time after SIGTERM."""

    before_end: Callable[[], None]

    def install_platform_tweaks(self, worker: Any) -> None:
        """Handle signals as Celery does, and look at the clock from SIGTERM on.

        Celery tells of a shutdown only when it has waited for the pool.
        """
        super().install_platform_tweaks(worker)
        on_sigterm(self._end)

    def _end(self) -> None:
        asked_at = time.monotonic()
        while not is_due(time.monotonic() - asked_at, held := len(state.reserved_requests)):
            time.sleep(LOOKS_EVERY_S)
        # Messages that it holds are not acknowledged, so another worker gets them, as after a crash.
        structlog.get_logger("vestibule.worker").warning("shutdown_cut_short", held=held)
        self.before_end()
        # At once, and well: what is left waits for Redis alone. The processes of the pool end with their parent.
        os._exit(os.EX_OK)


def is_due(waited_s: float, held: int) -> bool:
    """Say whether a worker with so many tasks has had the time that it may take."""
    return waited_s >= (ENDS_WITHIN_S if held else IDLE_ENDS_WITHIN_S)


def on_sigterm(act: Callable[[], None]) -> None:
    """Call `act` in a thread when this process gets SIGTERM, beside the handler that is set.

    Also while the main thread is in a call that no signal ends, such as the lookup of a name: a handler waits for it.
    Call it in the main thread, once a handler is set. Forked processes do without.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def wait() -> None:
        while received := reading.recv(64):
            if signal.SIGTERM in received:
                act()
                return

    threading.Thread(target=wait, daemon=True, name="sigterm").start()
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    # They share the socket, and SIGTERM for one of them is none for this process.
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
