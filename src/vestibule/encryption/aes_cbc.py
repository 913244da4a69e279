"""Encrypts single values with AES-CBC under a key that a caller brings, in the form that Presidio's `encrypt` has.

What Vestibule keeps is encrypted by `cipher.py`, which also notices changes; CBC does not. This is for callers who have
values in this form, or programs that read it.

Source: NIST SP 800-38A, section 6.2 (CBC); RFC 5652, section 6.3 (PKCS #7 padding); the form, base64url of IV and
ciphertext: presidio-anonymizer/presidio_anonymizer/operators/aes_cipher.py of microsoft/presidio.
"""

import base64
import binascii
import os

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from vestibule.encryption.key_ring import DecryptionFailed

KEY_BYTES = (16, 24, 32)
_BLOCK_BYTES = 16


class CbcCipher:
    """AES-CBC with a random IV for each value, and PKCS #7 padding."""

    def __init__(self, key: bytes) -> None:
        """Take the key.

        Raises:
            ValueError: it has not 128, 192 or 256 bits.
        """
        if len(key) not in KEY_BYTES:
            raise ValueError("the key has to be 128, 192 or 256 bits long")
        self._algorithm = algorithms.AES(key)

    def encrypt(self, value: str) -> str:
        """Return a value encrypted, in base64url."""
        padder = padding.PKCS7(8 * _BLOCK_BYTES).padder()
        padded = padder.update(value.encode("utf-8")) + padder.finalize()
        iv = os.urandom(_BLOCK_BYTES)
        encryptor = Cipher(self._algorithm, modes.CBC(iv)).encryptor()
        return base64.urlsafe_b64encode(iv + encryptor.update(padded) + encryptor.finalize()).decode("ascii")

    def decrypt(self, encrypted: str) -> str:
        """Return the value.

        Raises:
            DecryptionFailed: it is no such value, or was encrypted with another key. One that was changed may still
                be decrypted, to something else.
        """
        try:
            content = base64.b64decode(encrypted.encode("ascii").translate(_STANDARD), validate=True)
            decryptor = Cipher(self._algorithm, modes.CBC(content[:_BLOCK_BYTES])).decryptor()
            padded = decryptor.update(content[_BLOCK_BYTES:]) + decryptor.finalize()
            unpadder = padding.PKCS7(8 * _BLOCK_BYTES).unpadder()
            return (unpadder.update(padded) + unpadder.finalize()).decode("utf-8")
        except (UnicodeError, ValueError, binascii.Error):
            raise DecryptionFailed("it was not encrypted in this form, or with another key") from None


# base64url in the alphabet of base64, so that both are read.
_STANDARD = bytes.maketrans(b"-_", b"+/")
