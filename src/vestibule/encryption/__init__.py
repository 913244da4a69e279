"""Encryption at rest: encrypted content, keyed fingerprints, reversible tokens and the key ring."""

from vestibule.encryption.cipher import Cipher, key_id_of
from vestibule.encryption.errors import (
    DecryptionFailed,
    EncryptionError,
    KeyRefused,
    KeyRingUnreadable,
    TokenKeyRetired,
    UnrecognizedToken,
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
from vestibule.encryption.settings import EncryptionSettings
from vestibule.encryption.tokens import Tokenizer

__all__ = [
    "Cipher",
    "DecryptionFailed",
    "EncryptionError",
    "EncryptionSettings",
    "Fingerprinter",
    "Key",
    "KeyRefused",
    "KeyRing",
    "KeyRingFile",
    "KeyRingSource",
    "KeyRingUnreadable",
    "KeyState",
    "Purpose",
    "TokenKeyRetired",
    "Tokenizer",
    "UnrecognizedToken",
    "add_key",
    "create_key_ring",
    "find_old_key",
    "key_id_of",
    "read_key_ring",
    "retire_key",
]
