"""The data directory: its folders, its lock, and the secret and keys of the services, made at the first start."""

import fcntl
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vestibule.cli.embedded.start_errors import DataDirectoryInUse, DataDirectoryUnusable
from vestibule.runtime.files import write_private

_FOLDERS = ("logs", "error_reports", "keys", "redis", "run")


@dataclass(frozen=True)
class DataDirectory:
    """Where one instance keeps everything; `path` is absolute."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def app_log(self) -> Path:
        return self.logs / "app.log"

    @property
    def error_reports(self) -> Path:
        return self.path / "error_reports"

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def service_secret_file(self) -> Path:
        return self.path / "keys" / "service_secret"

    @property
    def key_ring_file(self) -> Path:
        return self.path / "keys" / "keyring.json"

    @property
    def database_file(self) -> Path:
        return self.path / "vestibule.db"

    def ready_file(self, part: str) -> Path:
        """Return the file a worker touches when it takes work."""
        return self.path / "run" / f"{part}.ready"


def prepare_data_directory(directory: DataDirectory) -> None:
    """Make what is missing of the directory and its folders, for this user alone, and try that they can be written.

    Raises: DataDirectoryUnusable.
    """
    try:
        directory.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (directory.path, *(directory.path / name for name in _FOLDERS)):
            folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        (directory.path / "keys").chmod(0o700)
    except OSError as error:
        place = error.filename or directory.path
        raise DataDirectoryUnusable(
            f"cannot use the data directory {directory.path}: {place}: {error.strerror}"
        ) from error


def lock_data_directory(directory: DataDirectory) -> TextIO:
    """Keep other instances out for as long as the returned file is open; the kernel lets go when this process ends.

    Raises: DataDirectoryInUse, naming the process that holds it; DataDirectoryUnusable.
    """
    try:
        lock = (directory.path / ".lock").open("a+", encoding="ascii")
    except OSError as error:
        raise DataDirectoryUnusable(f"cannot use {error.filename}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise DataDirectoryInUse(
            f"the data directory {directory.path} is in use by another instance (process {holder}); "
            "choose another with --data-dir"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def ensure_service_secret(directory: DataDirectory) -> None:
    """Make the secret by which the services know each other: 256 bits, whole or not at all, for this user alone.

    Raises: DataDirectoryUnusable.
    """
    path = directory.service_secret_file
    try:
        if path.exists():
            path.chmod(0o600)
            return
        write_private(path, secrets.token_urlsafe(32).encode())
    except OSError as error:
        raise DataDirectoryUnusable(f"cannot use {error.filename or path}: {error.strerror}") from error


def ensure_key_ring(directory: DataDirectory) -> None:
    """Create the keys that values are encrypted with, unless they exist.

    Raises: DataDirectoryUnusable, also where values were kept that new keys could not open.
    """
    path = directory.key_ring_file
    if not path.exists() and directory.database_file.exists():
        raise DataDirectoryUnusable(
            f"the key ring {path} is gone, and nothing else opens the values in {directory.database_file}; "
            "put the ring back, or move the database away to start with a new one"
        )
    try:
        if path.exists():
            path.chmod(0o600)
            return
        # Only the first start waits for this import.
        from vestibule.encryption import create_key_ring

        create_key_ring(path)
    except OSError as error:
        raise DataDirectoryUnusable(f"cannot use {error.filename or path}: {error.strerror}") from error
