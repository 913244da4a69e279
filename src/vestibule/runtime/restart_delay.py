"""The delay before a process is started again that has ended by itself."""

from vestibule.runtime.background import Backoff

_RESTART_BACKOFF = Backoff(first_s=0.5, longest_s=10.0)
_STABLE_AFTER_S = 30.0


class RestartDelay:
    """The delay before a restart: none at first, then half a second, doubled up to ten seconds."""

    def __init__(self) -> None:
        self._restarts = 0

    def after_run(self, lifetime_s: float) -> float:
        """Return the delay in seconds after a run of `lifetime_s`; a long run resets the backoff."""
        if lifetime_s >= _STABLE_AFTER_S:
            self._restarts = 0
        delay_s = _RESTART_BACKOFF.delay_s(self._restarts)
        self._restarts += 1
        return delay_s
