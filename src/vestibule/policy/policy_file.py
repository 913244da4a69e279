"""The active policy, reloaded when its file changes; an invalid file changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from vestibule.policy.errors import InvalidPolicy
from vestibule.policy.policy import FallbackPolicy, Policy
from vestibule.policy.vocabulary import Vocabulary
from vestibule.runtime.background import repeat
from vestibule.runtime.watched_file import WatchedFile

POLL_INTERVAL_S = 0.5

ChangeHandler = Callable[[Policy], Awaitable[None]]
InvalidPolicyHandler = Callable[[InvalidPolicy], Awaitable[None]]


class PolicyFile:
    """Reads a policy file and polls it for changes. Reading `current` costs nothing.

    A file that may be missing (`is_optional`) leaves the built-in policy where it is; one that was named may not.
    """

    def __init__(
        self, path: Path, vocabulary: Vocabulary, fallback: FallbackPolicy | None = None, *, is_optional: bool = True
    ) -> None:
        """Read the policy for the first time.

        Raises:
            InvalidPolicy: the file is no policy, or missing although it was named.
            ValueError: the settings beneath it name an entity that does not exist.
        """
        self._file = WatchedFile(
            path,
            lambda path: Policy.read(path, vocabulary, fallback),
            broken=InvalidPolicy,
            on_broken=_raise,
            when_missing=(lambda: Policy.built_in(vocabulary, fallback)) if is_optional else None,
            must_settle=True,
        )
        self.current = self._file.current()

    async def follow(self, on_change: ChangeHandler, on_invalid: InvalidPolicyHandler) -> None:
        """Poll the file until cancelled; report each new policy, and each invalid file once."""

        async def check() -> float:
            try:
                if await asyncio.to_thread(self.refresh):
                    await on_change(self.current)
            except InvalidPolicy as broken:
                await on_invalid(broken)
            return POLL_INTERVAL_S

        await repeat(check, on_error=_log_error, first_pause_s=POLL_INTERVAL_S, error_pause_s=POLL_INTERVAL_S)

    def refresh(self) -> bool:
        """Take over what is in the file now; say whether that changed the policy.

        Raises:
            InvalidPolicy: it is no policy; the last good one stays, and this state of the file is not reported again.
        """
        before = self.current
        self.current = self._file.reload()
        return self.current.version != before.version


def _log_error(error: Exception) -> None:
    structlog.get_logger("vestibule.policy").error("policy_check_failed", exc_info=error)


def _raise(error: Exception) -> None:
    raise error
