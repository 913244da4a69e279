"""Encryption at rest: encrypted content, keyed fingerprints, reversible tokens and the key ring."""

from vestibule.encryption.aes_cbc import CbcCipher
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
    KeyUnknown,
    Purpose,
    TokenKeyRetired,
    UnrecognizedToken,
)
from vestibule.encryption.pseudonyms import Fingerprinter, Tokenizer, epoch_of, key_digest, key_digests

__all__ = [
    "CbcCipher",
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
    "KeyUnknown",
    "Purpose",
    "TokenKeyRetired",
    "Tokenizer",
    "UnrecognizedToken",
    "add_key",
    "create_key_ring",
    "epoch_of",
    "find_old_key",
    "key_digest",
    "key_digests",
    "key_id_of",
    "read_key_ring",
    "retire_key",
]
