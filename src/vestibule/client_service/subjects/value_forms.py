"""The forms that a value can have in stored data: plain text, token, keyed hash."""

from collections.abc import Iterator

from vestibule.encryption import Fingerprinter, KeyRingFile, Tokenizer
from vestibule.encryption.key_ring import Purpose
from vestibule.policy.document import Vocabulary
from vestibule.policy.policy import PolicyFile


class ValueForms:
    """Derives the forms of a value: its tokens for every entity, tenant and key, and its fingerprints."""

    def __init__(self, ring: KeyRingFile, vocabulary: Vocabulary, policies: PolicyFile) -> None:
        self._ring = ring
        self._vocabulary = vocabulary
        self._policies = policies
        self._fingerprinter = Fingerprinter(ring)
        self._tokenizer = Tokenizer(ring)

    def of(self, value: str, tenant: str) -> Iterator[str]:
        """Yield every form of `value` for a caller of `tenant`, apart from the plain text."""
        keys = self._ring.reload().usable(Purpose.FINGERPRINT)
        yield from self._fingerprinter.candidates(value, min(key.created_at for key in keys))
        for owner in sorted(self._policies.current.tenants | {tenant}):
            for entity in sorted(self._vocabulary.entities):
                yield from self._tokenizer.candidates(value, entity, owner)
