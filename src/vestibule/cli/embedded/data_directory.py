"""The data directory: its folders, its lock, and the secret and keys of the services, created at the first start."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from vestibule.cli.embedded import StartError
from vestibule.runtime.files import write_private

_FOLDERS = ("logs", "error_reports", "keys", "redis", "run")


class DataDirectoryUnusable(StartError):
    """The data directory cannot be created or written."""

    exit_code = os.EX_CONFIG


class DataDirectoryInUse(StartError):
    """Another instance uses the data directory."""


class DataDirectory:
    """The directory of all files of one instance; `path` is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.app_log = self.logs / "app.log"
        self.error_reports = path / "error_reports"
        self.redis = path / "redis"
        self.service_secret_file = path / "keys" / "service_secret"
        self.console_secret_file = path / "keys" / "console_secret"
        self.key_ring_file = path / "keys" / "keyring.json"
        self.database_file = path / "vestibule.db"

    def ready_file(self, part: str) -> Path:
        """Return the file that a worker touches when it is ready."""
        return self.path / "run" / f"{part}.ready"


def prepare_data_directory(directory: DataDirectory) -> None:
    """Create the directory and its folders where they are missing, for this user only, and check that each is writable.

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
        reason = f"{error.filename or directory.path}: {error.strerror}"
        raise DataDirectoryUnusable(f"cannot use the data directory {directory.path}: {reason}") from error


def lock_data_directory(directory: DataDirectory) -> TextIO:
    """Lock the directory against other instances while the returned file is open; the kernel unlocks it at exit.

    Raises: DataDirectoryInUse, with the process that has the lock; DataDirectoryUnusable.
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


def ensure_secrets(directory: DataDirectory) -> None:
    """Create the secrets of the services and of the console's cookies, unless they exist: 256 bits, for this user only.

    Raises: DataDirectoryUnusable.
    """
    for file in (directory.service_secret_file, directory.console_secret_file):
        _ensure_private(file, lambda path: write_private(path, secrets.token_urlsafe(32).encode()))


def ensure_key_ring(directory: DataDirectory) -> None:
    """Create the keys that values are encrypted with, unless they exist.

    Raises: DataDirectoryUnusable, also where the database has values that new keys cannot decrypt.
    """
    path = directory.key_ring_file
    if not path.exists() and directory.database_file.exists():
        raise DataDirectoryUnusable(
            f"the key ring {path} is missing, and no other can decrypt the values in {directory.database_file}; "
            "restore the key ring, or move the database away to start with a new one"
        )
    _ensure_private(path, _create_key_ring)


def _create_key_ring(path: Path) -> None:
    # Only the first start waits for this import.
    from vestibule.encryption import create_key_ring

    create_key_ring(path)


def _ensure_private(path: Path, create: Callable[[Path], object]) -> None:
    try:
        if path.exists():
            path.chmod(0o600)
        else:
            create(path)
    except OSError as error:
        raise DataDirectoryUnusable(f"cannot use {error.filename or path}: {error.strerror}") from error
