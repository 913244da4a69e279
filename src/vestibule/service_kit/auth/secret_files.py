"""Watches the files of keys, tokens and secrets, and says which of them have changed into something unreadable."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from vestibule.encryption import KeyRingSource
from vestibule.runtime.background import repeat
from vestibule.runtime.files import CHECK_EVERY_S, WatchedFile
from vestibule.service_kit.auth.authentication import TokenLookup

# Gets the name of a file that has become unreadable.
BrokenFileHandler = Callable[[str], Awaitable[None]]


class SecretFiles:
    """The files that a service reads again when they change. A broken one changes nothing, and degrades the service."""

    def __init__(self, ring: KeyRingSource, lookups: Iterable[TokenLookup]) -> None:
        """Take the key ring and the lookups of tokens; those that have no file are ignored."""
        sources = [ring, *(getattr(lookup, "file", None) for lookup in lookups)]
        self._files: list[WatchedFile[Any]] = [source for source in sources if isinstance(source, WatchedFile)]

    def broken(self) -> list[str]:
        """Return the names of the files whose last change could not be read."""
        return sorted(file.path.name for file in self._files if file.is_broken)

    def note(self) -> str | None:
        """Return what is wrong in words for people, None if nothing is."""
        broken = self.broken()
        return (
            f"the last change of {', '.join(broken)} cannot be read; the content before it is used" if broken else None
        )

    async def follow(self, on_broken: BrokenFileHandler) -> None:
        """Check the files until cancelled, also while there are no requests, and report each that breaks once."""
        reported: set[str] = set()

        async def check() -> float:
            for file in self._files:
                file.reload()
            broken = set(self.broken())
            for name in sorted(broken - reported):
                await on_broken(name)
            reported.clear()
            reported.update(broken)
            return CHECK_EVERY_S

        await repeat(check, on_error=lambda _error: None)
