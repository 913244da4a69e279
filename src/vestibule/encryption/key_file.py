"""The file of the key ring: creates, changes and reloads it."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from vestibule.encryption.errors import KeyRefused, KeyRingUnreadable
from vestibule.encryption.key_ring import Key, KeyRing, KeyState, Purpose, new_key
from vestibule.runtime.private_file import change_alone, write_private

RELOAD_AFTER_S = 1.0

_keys = TypeAdapter(list[Key])


def read_key_ring(path: Path) -> KeyRing:
    """Return the ring in `path`.

    Raises:
        KeyRingUnreadable: there is none, or it is not one; the message shows none of it.
    """
    try:
        return KeyRing(_keys.validate_json(path.read_bytes()))
    except (OSError, ValidationError) as error:
        raise KeyRingUnreadable(f"cannot read the key ring {path} ({type(error).__name__})") from None
    except KeyRingUnreadable as error:
        raise KeyRingUnreadable(f"cannot read the key ring {path}: {error}") from None


def create_key_ring(path: Path) -> None:
    """Make a ring with one key for each purpose, unless there is a file already.

    Raises:
        OSError: it cannot be written.
    """
    with change_alone(path):
        if not path.exists():
            _write(path, [new_key(purpose) for purpose in Purpose])


def add_key(path: Path, purpose: Purpose, active_from: datetime | None = None) -> Key:
    """Add a key that becomes active now, or at the given time; older keys still decrypt. Return it.

    Raises:
        KeyRingUnreadable: there is no ring to add to.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        key = new_key(purpose, active_from)
        _write(path, [*read_key_ring(path).keys, key])
    return key


def retire_key(path: Path, key_id: str) -> None:
    """Destroy the secret of a key; its id stays, to identify what it encrypted.

    Raises:
        KeyRefused: no key has that id, or it is not an old one.
        KeyRingUnreadable: there is no ring.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        ring = read_key_ring(path)
        key = find_old_key(ring, key_id)
        retired = key.model_copy(update={"retired_at": datetime.now(UTC), "secret": None})
        _write(path, [retired if other is key else other for other in ring.keys])


def find_old_key(ring: KeyRing, key_id: str) -> Key:
    """Return the old key of that id.

    Raises:
        KeyRefused: no key has that id, or it is not an old one.
    """
    for key in ring.keys:
        if key.id == key_id:
            if (state := ring.state_of(key)) is not KeyState.OLD:
                raise KeyRefused(f"key {key_id} is {state}; only an old key can be retired")
            return key
    raise KeyRefused("no key has that id")


class KeyRingFile:
    """The key ring in a file, reloaded within a second of a change; an invalid file changes nothing."""

    def __init__(self, path: Path) -> None:
        """Read the ring.

        Raises:
            KeyRingUnreadable: there is none, or it is not one.
        """
        self._path = path
        self._stamp = self._file_stamp()
        self._ring = read_key_ring(path)
        self._looked_at = time.monotonic()

    def current(self) -> KeyRing:
        """Return the ring, at most a second behind its file."""
        if time.monotonic() - self._looked_at >= RELOAD_AFTER_S:
            self.reload()
        return self._ring

    def reload(self) -> KeyRing:
        """Return the ring after a look at its file."""
        self._looked_at = time.monotonic()
        stamp = self._file_stamp()
        if stamp == self._stamp:
            return self._ring
        self._stamp = stamp
        try:
            self._ring = read_key_ring(self._path)
        except KeyRingUnreadable:
            structlog.get_logger("vestibule.encryption").warning(
                "key_ring_unreadable", kept="the ring as it was before"
            )
        return self._ring

    def _file_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def _write(path: Path, keys: Iterable[Key]) -> None:
    write_private(path, _keys.dump_json(list(keys), indent=1) + b"\n")
