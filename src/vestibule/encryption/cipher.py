"""Encrypts and decrypts bytes with AES-256-GCM and the keys of a ring.

Source: NIST SP 800-38D (GCM, random nonces by section 8.2.2), RFC 5869 (HKDF).
"""

import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vestibule.encryption.key_ring import KEY_ID_BYTES, DataKeyRetired, DecryptionFailed, Key, KeyRingSource, Purpose

# An envelope: version, key id, salt, nonce, then ciphertext and tag.
VERSION = b"\x01"
SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
_SALT_AT = len(VERSION) + KEY_ID_BYTES
_NONCE_AT = _SALT_AT + SALT_BYTES
HEADER_BYTES = _NONCE_AT + NONCE_BYTES
MIN_ENVELOPE_BYTES = HEADER_BYTES + TAG_BYTES

# SP 800-38D, 8.3: at most 2^32 random nonces for each key. A derived key is replaced long before.
ENCRYPTIONS_PER_DERIVED_KEY = 2**28
DERIVED_KEYS_CACHED = 4096


@dataclass(slots=True)
class _DerivedKey:
    """The current derived key for encryption, with its salt and its number of uses."""

    key: Key
    header: bytes
    cipher: AESGCM
    uses: "count[int]"


class Cipher:
    """Encrypts the content of one `realm` ("database", "queue"): it cannot be decrypted in another.

    Each instance derives its key from the ring's active key and a salt of its own, so that the limit on random nonces
    applies to each process separately.
    """

    def __init__(self, ring: KeyRingSource, realm: str) -> None:
        self._ring = ring
        self._info = b"vestibule/seal/1/" + realm.encode()
        self._cipher = lru_cache(DERIVED_KEYS_CACHED)(self._derive)
        self._encrypting: _DerivedKey | None = None

    def encrypt(self, content: bytes, place: bytes = b"") -> bytes:
        """Return `content` encrypted, in an envelope that can be decrypted only with the same `place`."""
        key = self._ring.current().active(Purpose.DATA)
        derived = self._encrypting
        if derived is None or derived.key.id != key.id or next(derived.uses) >= ENCRYPTIONS_PER_DERIVED_KEY:
            salt = os.urandom(SALT_BYTES)
            prefix = VERSION + bytes.fromhex(key.id) + salt
            derived = self._encrypting = _DerivedKey(key, prefix, self._derive(key.material, salt), count())
        header = derived.header + os.urandom(NONCE_BYTES)
        return header + derived.cipher.encrypt(header[_NONCE_AT:], content, header + place)

    def decrypt(self, envelope: bytes, place: bytes = b"") -> bytes:
        """Return the decrypted content.

        Raises:
            DecryptionFailed: it was not encrypted, was changed or moved, or its key is not in the ring.
        """
        key_id = key_id_of(envelope)
        cipher = self._cipher(self._secret(key_id), envelope[_SALT_AT:_NONCE_AT])
        header = envelope[:HEADER_BYTES]
        try:
            return cipher.decrypt(header[_NONCE_AT:], envelope[HEADER_BYTES:], header + place)
        except InvalidTag:
            raise DecryptionFailed("it was changed, or encrypted for another place") from None

    def is_current(self, envelope: bytes) -> bool:
        """Whether it was encrypted with the active key."""
        return key_id_of(envelope) == self._ring.current().active(Purpose.DATA).id

    def _secret(self, key_id: str) -> bytes:
        key = self._ring.current().find(Purpose.DATA, key_id) or self._ring.reload().find(Purpose.DATA, key_id)
        if key is None:
            raise DecryptionFailed(f"the ring has no data key {key_id}")
        if key.secret is None:
            raise DataKeyRetired(f"the data key {key_id} was retired")
        return key.secret

    def _derive(self, secret: bytes, salt: bytes) -> AESGCM:
        return AESGCM(HKDF(hashes.SHA256(), length=32, salt=salt, info=self._info).derive(secret))


def key_id_of(envelope: bytes) -> str:
    """Return the id of the key that an envelope names.

    Raises:
        DecryptionFailed: it is not an envelope.
    """
    if len(envelope) < MIN_ENVELOPE_BYTES or not envelope.startswith(VERSION):
        raise DecryptionFailed("it is not encrypted")
    return envelope[len(VERSION) : _SALT_AT].hex()
