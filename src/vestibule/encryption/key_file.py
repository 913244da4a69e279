"""The file of the key ring: creates, changes and reloads it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from vestibule.encryption.key_ring import (
    Key,
    KeyRefused,
    KeyRing,
    KeyRingUnreadable,
    KeyState,
    KeyUnknown,
    Purpose,
    key_id_for,
    new_key,
)
from vestibule.runtime.files import WatchedFile, change_alone, write_private

_keys = TypeAdapter(list[Key])


class EncryptionSettings(BaseSettings):
    """The setting of the key ring."""

    # The same as in ServiceSettings, since a class that inherits from both takes the last one.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("var"), description="Directory of the database, queue files, keys, logs and reports"
    )
    keyring_file: Path | None = Field(
        default=None, description="File with the encryption keys; keys/keyring.json if unset"
    )

    @property
    def key_ring_path(self) -> Path:
        """The file of the key ring."""
        return self.keyring_file or self.data_dir / "keys" / "keyring.json"


def read_key_ring(path: Path) -> KeyRing:
    """Return the ring in `path`.

    Raises:
        KeyRingUnreadable: the file cannot be read or is invalid, or a key was changed; the message shows none of it.
    """
    try:
        keys = _keys.validate_json(path.read_bytes())
        if changed := [key.id for key in keys if key.secret and key.id != key_id_for(key.purpose, key.secret)]:
            raise KeyRingUnreadable(
                f"the key {changed[0]} was changed, or an older version made the ring; restore the file from its "
                "backup, or move the values with that version: `vestibule db export --plain`"
            )
        return KeyRing(keys)
    except (OSError, ValidationError) as error:
        kind = type(error).__name__
        raise KeyRingUnreadable(f"cannot read the key ring {path} ({kind}); restore its backup") from None
    except KeyRingUnreadable as error:
        raise KeyRingUnreadable(f"cannot read the key ring {path}: {error}") from None


def create_key_ring(path: Path) -> None:
    """Create a ring with one key for each purpose, unless the file exists.

    Raises:
        OSError: the file cannot be written.
    """
    with change_alone(path):
        if not path.exists():
            _write(path, [new_key(purpose) for purpose in Purpose])


def add_key(path: Path, purpose: Purpose, active_from: datetime | None = None) -> Key:
    """Add a key that becomes active now, or at the given time; older keys still decrypt. Return it.

    Raises:
        KeyRingUnreadable: there is no valid ring.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        key = new_key(purpose, active_from)
        _write(path, [*read_key_ring(path).keys, key])
    return key


def retire_key(path: Path, key_id: str) -> None:
    """Destroy the secret of a key; its id stays, to identify what it encrypted.

    Raises:
        KeyRefused: it is not an old key.
        KeyUnknown: no key has that id.
        KeyRingUnreadable: there is no valid ring.
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
        KeyRefused: it is not an old key.
        KeyUnknown: no key has that id.
    """
    for key in ring.keys:
        if key.id == key_id:
            if (state := ring.state_of(key)) is not KeyState.OLD:
                raise KeyRefused(f"key {key_id} is {state}; only an old key can be retired")
            return key
    raise KeyUnknown("no key has that id")


class KeyRingFile(WatchedFile[KeyRing]):
    """The key ring in a file, reloaded within a second of a change.

    An invalid file changes nothing, nor does one that lacks a key: another ring would encrypt what this one cannot
    decrypt. A retired key stays in the file.
    """

    def __init__(self, path: Path) -> None:
        """Read the ring.

        Raises:
            KeyRingUnreadable: the file cannot be read or is invalid.
        """
        self._known: frozenset[str] = frozenset()
        super().__init__(path, self._read_successor, broken=KeyRingUnreadable, on_broken=_log_unreadable)

    def _read_successor(self, path: Path) -> KeyRing:
        ring = read_key_ring(path)
        known = frozenset(key.id for key in ring.keys)
        if missing := self._known - known:
            raise KeyRingUnreadable(f"the key ring {path} lacks the key {min(missing)}")
        self._known = known
        return ring


def _log_unreadable(error: Exception) -> None:
    log = structlog.get_logger("vestibule.encryption")
    log.error("key_ring_unreadable", kept="the previous key ring", reason=str(error))


def _write(path: Path, keys: Iterable[Key]) -> None:
    write_private(path, _keys.dump_json(list(keys), indent=1) + b"\n")
