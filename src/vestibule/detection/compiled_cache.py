"""Caches compiled prefilters and analyses between starts, in files named by a hash of their input."""

import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# A file unused for this long belongs to an old version or old settings; compiling it again takes seconds.
MAX_UNUSED_S = 30 * 86_400.0
# A file is marked as used at most this often, so that most starts write nothing.
TOUCH_INTERVAL_S = 86_400.0
_FORMAT = b"vestibule prefilter 1\n"
# Other programs may use the same folder. The second form is a file that its writer has not finished.
_CACHE_FILE = re.compile(r"prefilter-[0-9a-f]{32}\.bin|prefilter-\w+\.part")


def default_cache_dir() -> Path | None:
    """Return the cache folder of the account; None for an account without a home."""
    try:
        return Path.home() / ".cache" / "vestibule"
    except RuntimeError:
        return None


class CompiledCache:
    """A cache folder that any number of processes share; without a folder nothing is cached.

    The modification time of a file is the time of its last use.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, fingerprint: bytes) -> bytes | None:
        """Return what was saved under `fingerprint`; None if there is nothing or it is damaged."""
        if self._folder is None:
            return None
        path = self._path(fingerprint)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, database = content[len(_FORMAT) :][:32], content[len(_FORMAT) + 32 :]
        if not content.startswith(_FORMAT) or hashlib.sha256(database).digest() != digest:
            return None
        with suppress(OSError):  # removed meanwhile, or owned by another account
            if time.time() - path.stat().st_mtime > TOUCH_INTERVAL_S:
                os.utime(path)
        return database

    def save(self, fingerprint: bytes, database: bytes) -> None:
        """Save `database`; if the folder is not writable, the next start compiles it again."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix="prefilter-", suffix=".part")
            with os.fdopen(handle, "wb") as file:
                file.write(_FORMAT + hashlib.sha256(database).digest() + database)
            Path(name).replace(self._path(fingerprint))
        except OSError:
            return

    def clear_unused(self) -> None:
        """Remove files that have not been used for `MAX_UNUSED_S`; a process that needs one compiles it again."""
        if self._folder is None:
            return
        with suppress(OSError):
            for path in self._folder.iterdir():
                with suppress(OSError):  # already removed, or the folder is not writable
                    if _CACHE_FILE.fullmatch(path.name) and time.time() - path.stat().st_mtime > MAX_UNUSED_S:
                        path.unlink()

    def _path(self, fingerprint: bytes) -> Path:
        assert self._folder is not None  # noqa: S101 - both callers check
        return self._folder / f"prefilter-{hashlib.sha256(fingerprint).hexdigest()[:32]}.bin"
