"""Caches compiled prefilters between starts, in files named by a hash of their input."""

import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

# What no start has used for so long belongs to versions and settings of the past; making it again takes seconds.
MAX_UNUSED_S = 30 * 86_400.0
# A file is marked as used no more often than this, so that most starts write nothing.
TOUCH_INTERVAL_S = 86_400.0
_FORMAT = b"vestibule prefilter 1\n"
# Others may keep their files in this folder too. The second kind is one that its writer has not finished.
_CACHE_FILE = re.compile(r"prefilter-[0-9a-f]{32}\.bin|prefilter-\w+\.part")


class CompiledCache:
    """A cache folder that any number of processes share; without a folder nothing is cached.

    The time of a file's last change is that of its last use.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, fingerprint: bytes) -> bytes | None:
        """Give what was saved under `fingerprint`, None when there is nothing or it is damaged."""
        if self._folder is None:
            return None
        try:
            content = self._path(fingerprint).read_bytes()
        except OSError:
            return None
        digest, database = content[len(_FORMAT) :][:32], content[len(_FORMAT) + 32 :]
        if not content.startswith(_FORMAT) or hashlib.sha256(database).digest() != digest:
            return None
        _touch(self._path(fingerprint))
        return database

    def save(self, fingerprint: bytes, database: bytes) -> None:
        """Keep `database`; a folder that cannot be written to costs time at the next start and nothing else."""
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
        """Remove what was not used for long; a process that looks for it at this moment makes it again."""
        if self._folder is None:
            return
        with suppress(OSError):
            for path in self._folder.iterdir():
                if _CACHE_FILE.fullmatch(path.name):
                    _remove_unused(path)

    def _path(self, fingerprint: bytes) -> Path:
        assert self._folder is not None  # noqa: S101 - both callers have looked
        return self._folder / f"prefilter-{hashlib.sha256(fingerprint).hexdigest()[:32]}.bin"


def _touch(path: Path) -> None:
    with suppress(OSError):  # gone meanwhile, or another account's
        if time.time() - path.stat().st_mtime > TOUCH_INTERVAL_S:
            os.utime(path)


def _remove_unused(path: Path) -> None:
    with suppress(OSError):  # another process was faster, or the folder may not be written to
        if time.time() - path.stat().st_mtime > MAX_UNUSED_S:
            path.unlink()
