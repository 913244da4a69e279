"""The forms in which a value can stand in what was stored: as it came, as a token, as a keyed hash."""

from collections.abc import Iterator

from vestibule.encryption import Fingerprinter, KeyRingFile, Tokenizer
from vestibule.encryption.key_ring import Purpose
from vestibule.policy.policy_file import PolicyFile
from vestibule.policy.vocabulary import Vocabulary


class ValueForms:
    """Works out the forms of a value: its tokens of every kind, tenant and key, and its fingerprint of every epoch."""

    def __init__(self, ring: KeyRingFile, vocabulary: Vocabulary, policies: PolicyFile) -> None:
        self._ring = ring
        self._vocabulary = vocabulary
        self._policies = policies
        self._fingerprinter = Fingerprinter(ring)
        self._tokenizer = Tokenizer(ring)

    def of(self, value: str, tenant: str) -> Iterator[str]:
        """Yield every form that `value` can have been given for a caller of `tenant`, beside itself."""
        keys = self._ring.reload().usable(Purpose.FINGERPRINT)
        yield from self._fingerprinter.candidates(value, min(key.created_at for key in keys))
        for owner in sorted(self._policies.current.tenants | {tenant}):
            for entity in sorted(self._vocabulary.entities):
                yield from self._tokenizer.candidates(value, entity, owner)
