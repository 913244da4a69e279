"""The errors of encryption. No message holds a key or content.

EncryptionError
├── KeyRingUnreadable    there is no key ring, or it is invalid
├── KeyRefused           no such key, or it is still active
├── DecryptionFailed     not encrypted, changed since, moved from its place, or its key is not in the ring
├── UnrecognizedToken    not a token of this tenant
└── TokenKeyRetired      its key was retired, so that it cannot be revealed
"""


class EncryptionError(Exception):
    """Base of the tree."""


class KeyRingUnreadable(EncryptionError):
    """The key ring cannot be read."""


class KeyRefused(EncryptionError):
    """No key has that id, or it is still the active one."""


class DecryptionFailed(EncryptionError):
    """Content cannot be decrypted; the message has the reason."""


class UnrecognizedToken(EncryptionError):
    """The text is no token of this tenant."""


class TokenKeyRetired(EncryptionError):
    """The key of the token was retired."""
