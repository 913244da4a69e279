"""Receipts: signed records of decisions, which others can verify.

A receipt is a compact JWS, signed with Ed25519; anyone with the public key can verify it, with any JOSE library.
Source: RFC 7515 (JWS), RFC 8037 (OKP keys), RFC 9864 (the algorithm's name).
"""

import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import DecodeError, JoseError
from joserfc.jwk import KeySet, OKPKey

from vestibule.policy.decision import Decision
from vestibule.runtime.files import change_alone, write_private

ALGORITHM: Final = "Ed25519"
KIND = "vestibule-receipt+jwt"
ISSUER = "vestibule"


class ReceiptInvalid(ValueError):
    """The receipt is malformed, or not signed with any of the given keys."""


class ReceiptSigner:
    """Signs receipts with one key; older keys still verify earlier receipts."""

    def __init__(self, keys: "list[OKPKey]", detectors_version: str) -> None:
        """Take the keys; the first one signs."""
        private_key = keys[0].private_key
        if not isinstance(private_key, Ed25519PrivateKey):
            raise ValueError("a receipt key must be an Ed25519 private key")
        self._sign = private_key.sign
        self._detectors_version = detectors_version
        header = {"alg": ALGORITHM, "kid": keys[0].thumbprint(), "typ": KIND}
        self._head = urlsafe_b64encode(orjson.dumps(header)).rstrip(b"=") + b"."
        self.public_keys: dict[str, list[dict[str, str]]] = {"keys": [public_form(key) for key in keys]}

    def sign(self, decision_id: str, decision: Decision, *, request_id: str | None, route: str) -> str:
        """Return the receipt of a decision: entities and actions, and nothing of the request's content."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "jti": decision_id,
            "iat": int(time.time()),
            "outcome": decision.outcome,
            "route": route,
            "policy": decision.policy_version,
            "detectors": self._detectors_version,
            "actions": decision.actions,
        }
        if request_id is not None:
            claims["request_id"] = request_id
        if decision.is_dry_run:
            claims["would_have"] = decision.withheld
        # joserfc's serialization would cost as much CPU as the signature itself.
        signed = self._head + urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
        return (signed + b"." + urlsafe_b64encode(self._sign(signed)).rstrip(b"=")).decode("ascii")


def generate_key() -> bytes:
    """Return a new private key as PEM."""
    key: OKPKey = OKPKey.generate_key(ALGORITHM)
    return key.as_pem(private=True)


def load_keys(content: bytes) -> list[OKPKey]:
    """Return the private keys in one or several PEM blocks.

    Raises:
        ValueError: there is no key, or one is not an Ed25519 private key.
    """
    end = b"-----END PRIVATE KEY-----"
    blocks = [block + end for block in content.split(end)[:-1]]
    if not blocks:
        raise ValueError("no PEM block of a private key")
    keys = [OKPKey.import_key(block.strip()) for block in blocks]
    if not all(isinstance(key.raw_value, Ed25519PrivateKey) for key in keys):
        raise ValueError("not an Ed25519 key")
    return keys


def public_form(key: OKPKey) -> dict[str, str]:
    """Return the public part of `key` as a JWK, with the key id of receipts."""
    public = {str(name): str(value) for name, value in key.as_dict(private=False).items()}
    return {**public, "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}


def verify_receipt(receipt: str, public_keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of a receipt that is signed with one of `public_keys` (a JWK or a JWK set).

    Raises:
        ReceiptInvalid: the signature does not match, or the text is not a receipt.
    """
    given: Any = public_keys if "keys" in public_keys else {"keys": [public_keys]}
    try:
        keys = KeySet.import_key_set(given)
        content = jws.deserialize_compact(receipt.strip().encode(), keys, algorithms=[ALGORITHM])
        claims = orjson.loads(content.payload)
    except DecodeError:
        raise ReceiptInvalid("not a compact JWS") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ReceiptInvalid(f"not signed with this key ({type(error).__name__})") from None
    if content.headers().get("typ") != KIND or not isinstance(claims, dict):
        raise ReceiptInvalid("the signature is valid, but the content is not a receipt")
    return claims


class ReceiptKeyUnreadable(ValueError):
    """The signing key of receipts cannot be read."""


def read_receipt_keys(path: Path) -> list[OKPKey]:
    """Return the keys in `path`: the first one signs, and the public parts of all are published.

    Raises:
        ReceiptKeyUnreadable: the file cannot be read or is invalid; the message shows none of it.
    """
    try:
        return load_keys(path.read_bytes())
    except (OSError, ValueError) as error:
        kind = type(error).__name__
        raise ReceiptKeyUnreadable(f"cannot read the receipt key {path} ({kind}); restore its backup") from None


def ensure_receipt_key(path: Path) -> None:
    """Create a key unless the file exists.

    Raises:
        OSError: it cannot be written.
    """
    if not path.exists():
        with change_alone(path):
            if not path.exists():
                write_private(path, generate_key())
