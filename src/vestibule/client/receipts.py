"""Verifies receipts of decisions and erasures, and the signed head of an audit, with the keys of `receipts.keys()`.

A receipt is a compact JWS, signed with Ed25519. Source: RFC 7515 (JWS), RFC 8037 (OKP keys), RFC 9864 (the algorithm).
"""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final

from joserfc import jws
from joserfc.errors import DecodeError, JoseError
from joserfc.jwk import KeySet

ALGORITHM: Final = "Ed25519"
DECISION_KIND, ERASURE_KIND = "vestibule-receipt+jwt", "vestibule-erasure+jwt"
AUDIT_HEAD_KIND = "vestibule-audit-head+jwt"
RECEIPT_KINDS = (DECISION_KIND, ERASURE_KIND)


class Flaw(StrEnum):
    """Why a receipt does not hold."""

    NOT_A_JWS = "not a compact JWS"
    UNKNOWN_KEY = "signed with another key, or with none"
    CHANGED = "it was changed, or not signed with this key"
    OTHER_KIND = "the signature is valid, but the content is not a receipt"


class ReceiptInvalid(ValueError):
    """The text is not a receipt that one of the given keys signed; `flaw` says why."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.value)
        self.flaw = flaw


def verify_receipt(
    receipt: str, public_keys: Mapping[str, Any], kinds: Collection[str] = RECEIPT_KINDS
) -> dict[str, Any]:
    """Return the claims of a receipt that one of `public_keys` (JWK or JWK set) signed; of the `kinds` alone.

    Raises:
        ReceiptInvalid: it does not hold.
    """
    given: Any = public_keys if "keys" in public_keys else {"keys": [public_keys]}
    text = receipt.strip()
    try:
        keys = KeySet.import_key_set(given)
        content = jws.deserialize_compact(text.encode(), keys, algorithms=[ALGORITHM])
        claims = json.loads(content.payload)
    except (DecodeError, RecursionError):
        raise ReceiptInvalid(Flaw.NOT_A_JWS) from None
    except (JoseError, ValueError, TypeError, KeyError):
        raise ReceiptInvalid(_flaw_of(text, given)) from None
    if content.headers().get("typ") not in kinds or not isinstance(claims, dict):
        raise ReceiptInvalid(Flaw.OTHER_KIND)
    return claims


def _flaw_of(text: str, keys: Mapping[str, Any]) -> Flaw:
    head = text.partition(".")[0]
    try:
        named = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        return Flaw.UNKNOWN_KEY
    return Flaw.CHANGED if named in [one.get("kid") for one in keys["keys"]] else Flaw.UNKNOWN_KEY
