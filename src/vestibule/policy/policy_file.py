"""The active policy, reloaded when its file changes; an invalid file changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from vestibule.policy.errors import InvalidPolicy
from vestibule.policy.policy import FallbackPolicy, Policy
from vestibule.policy.vocabulary import Vocabulary

POLL_INTERVAL_S = 0.5

FileStamp = tuple[int, int, int]
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
        self._path = path
        self._vocabulary = vocabulary
        self._fallback = fallback
        self._is_optional = is_optional
        self._stamp = self._read_stamp()
        self._last_stamp = self._stamp
        self.current = self._read(self._stamp)

    async def follow(self, on_change: ChangeHandler, on_invalid: InvalidPolicyHandler) -> None:
        """Poll the file until cancelled; report each new policy, and each invalid file once."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                if await asyncio.to_thread(self.refresh):
                    await on_change(self.current)
            except InvalidPolicy as broken:
                await on_invalid(broken)

    def refresh(self) -> bool:
        """Take over what is in the file now; say whether that changed the policy.

        Raises:
            InvalidPolicy: it is no policy; the last good one stays, and this file is not complained of again.
        """
        stamp = self._read_stamp()
        # An editor may be replacing the file: it counts when it looks the same twice.
        is_settled, self._last_stamp = stamp == self._last_stamp, stamp
        if stamp == self._stamp or not is_settled:
            return False
        self._stamp = stamp
        policy = self._read(stamp)
        has_changed = policy.version != self.current.version
        self.current = policy
        return has_changed

    def _read(self, stamp: FileStamp | None) -> Policy:
        if stamp is None and self._is_optional:
            return Policy.built_in(self._vocabulary, self._fallback)
        return Policy.read(self._path, self._vocabulary, self._fallback)

    def _read_stamp(self) -> FileStamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
