"""What can go wrong with keys and with what they seal. No message holds a key or what was sealed.

SealingError
├── KeyRingUnreadable    there is no ring, or it is none
├── KeyRefused           a key cannot be changed in this way
├── CannotOpen           not sealed, changed since, moved from its place, or its key is not in the ring
├── UnrecognizedToken    not a token of this tenant
└── TokenKeyRetired      it was a token, and its key was retired: nobody can reveal it any more
"""


class EncryptionError(Exception):
    """Base of the tree."""


class KeyRingUnreadable(EncryptionError):
    """The key ring cannot be read, so nothing could be sealed or opened."""


class KeyRefused(EncryptionError):
    """No key goes by that id, or it is still the active one."""


class DecryptionFailed(EncryptionError):
    """Sealed content does not open; the message says which of the reasons it is."""


class UnrecognizedToken(EncryptionError):
    """The text is not a token that was made here for this tenant."""


class TokenKeyRetired(EncryptionError):
    """The key of the token was retired."""
