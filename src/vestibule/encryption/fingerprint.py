"""Keyed fingerprints: the same value has the same fingerprint, which cannot be computed without the key.

Source: RFC 2104 (HMAC; section 5: half of the output may be left out), RFC 5869 (HKDF).
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vestibule.encryption.key_ring import KeyRingSource, Purpose

EPOCH_S = 30 * 86_400
SHOWN_BYTES = 16


class Fingerprinter:
    """Makes fingerprints with the ring's fingerprint key, another derived key for each epoch of 30 days.

    A fingerprint names its epoch, as in `e688:1f6d...`; those of different epochs cannot be matched without the key.
    """

    def __init__(self, ring: KeyRingSource, clock: Callable[[], float] = time.time) -> None:
        self._ring = ring
        self._clock = clock
        self._keyed = lru_cache(64)(_keyed)

    def fingerprint(self, text: str) -> str:
        """Return the fingerprint that `text` has now, in every process that has the same ring."""
        secret = self._ring.current().active(Purpose.FINGERPRINT).material
        return self._of(text, secret, _epoch(self._clock()))

    def candidates(self, text: str, since: datetime) -> Iterator[str]:
        """Yield every fingerprint that `text` can have been given since then, the newest first."""
        for key in self._ring.reload().usable(Purpose.FINGERPRINT):
            for epoch in range(_epoch(self._clock()), _epoch(since.timestamp()) - 1, -1):
                yield self._of(text, key.material, epoch)

    def _of(self, text: str, secret: bytes, epoch: int) -> str:
        digest = self._keyed(secret, epoch).copy()
        digest.update(canonical(text).encode("utf-8", "surrogatepass"))
        return f"e{epoch}:{digest.finalize()[:SHOWN_BYTES].hex()}"


def canonical(text: str) -> str:
    """Return the one form of all ways in which a value is written: 4111 1111 and 4111-1111 are one card.

    In an address before the at sign a dot or a dash tells people apart, so there only the case is folded.
    """
    folded = text.casefold()
    return folded if "@" in folded else _SEPARATORS.sub("", folded)


_SEPARATORS = re.compile(r"[\s\-./()]+")


def _epoch(unix_time: float) -> int:
    return int(unix_time // EPOCH_S)


def _keyed(secret: bytes, epoch: int) -> HMAC:
    info = b"vestibule/fingerprint/1/epoch %d" % epoch
    return HMAC(HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(secret), hashes.SHA256())
