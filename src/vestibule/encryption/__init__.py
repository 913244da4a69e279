"""Encryption at rest: encrypted content, keyed fingerprints, reversible tokens and the key ring."""

from vestibule.encryption.cipher import Cipher, key_id_of
from vestibule.encryption.key_file import (
    EncryptionSettings,
    KeyRingFile,
    add_key,
    create_key_ring,
    find_old_key,
    read_key_ring,
    retire_key,
)
from vestibule.encryption.key_ring import (
    DataKeyRetired,
    DecryptionFailed,
    EncryptionError,
    Key,
    KeyRefused,
    KeyRing,
    KeyRingSource,
    KeyRingUnreadable,
    KeyState,
    Purpose,
    TokenKeyRetired,
    UnrecognizedToken,
)
from vestibule.encryption.pseudonyms import Fingerprinter, Tokenizer

__all__ = [
    "Cipher",
    "DataKeyRetired",
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
