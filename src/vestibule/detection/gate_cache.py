"""Keeps the compiled gate between starts: a file named by what went in, written whole or not at all."""

import hashlib
import os
import tempfile
from pathlib import Path

_FORMAT = b"vestibule gate 1\n"


class GateCache:
    """A folder of compiled gates; without a folder nothing is kept."""

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
        is_whole = content.startswith(_FORMAT) and hashlib.sha256(database).digest() == digest
        return database if is_whole else None

    def save(self, fingerprint: bytes, database: bytes) -> None:
        """Keep `database`; a folder that cannot be written to costs time at the next start and nothing else."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(handle, "wb") as file:
                file.write(_FORMAT + hashlib.sha256(database).digest() + database)
            Path(name).replace(self._path(fingerprint))
        except OSError:
            return

    def _path(self, fingerprint: bytes) -> Path:
        assert self._folder is not None  # noqa: S101 - both callers have looked
        return self._folder / f"gate-{hashlib.sha256(fingerprint).hexdigest()[:32]}.bin"
