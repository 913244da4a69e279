"""Keeps what came in unreadable where it lies: sealed content, keyed fingerprints, reversible tokens and the keys."""

from vestibule.encryption.cipher import Sealer, key_id_of
from vestibule.encryption.errors import (
    CannotOpen,
    KeyRefused,
    KeyRingUnreadable,
    SealingError,
    TokenKeyRetired,
    UnknownToken,
)
from vestibule.encryption.fingerprint import Fingerprinter
from vestibule.encryption.key_file import (
    KeyRingFile,
    add_key,
    create_key_ring,
    find_old_key,
    read_key_ring,
    retire_key,
)
from vestibule.encryption.key_ring import Key, KeyRing, KeyRingSource, KeyState, Purpose
from vestibule.encryption.settings import SealingSettings
from vestibule.encryption.tokens import Tokenizer

__all__ = [
    "CannotOpen",
    "Fingerprinter",
    "Key",
    "KeyRefused",
    "KeyRing",
    "KeyRingFile",
    "KeyRingSource",
    "KeyRingUnreadable",
    "KeyState",
    "Purpose",
    "Sealer",
    "SealingError",
    "SealingSettings",
    "TokenKeyRetired",
    "Tokenizer",
    "UnknownToken",
    "add_key",
    "create_key_ring",
    "find_old_key",
    "key_id_of",
    "read_key_ring",
    "retire_key",
]
