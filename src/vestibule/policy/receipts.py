"""Receipts: signed records of decisions and of erasures, which others can verify.

A receipt is a compact JWS, signed with Ed25519; anyone with the public key can verify it, with any JOSE library
(`vestibule.client.receipts` does).
Source: RFC 7515 (JWS), RFC 8037 (OKP keys), RFC 9864 (the algorithm's name).
"""

import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from vestibule.contracts.decisions import Action, DecisionRecord, Outcome
from vestibule.runtime.files import change_alone, write_private

ALGORITHM: Final = "Ed25519"
KIND, ERASURE_KIND = "vestibule-receipt+jwt", "vestibule-erasure+jwt"
HEAD_KIND = "vestibule-audit-head+jwt"
RECEIPT_KINDS = (KIND, ERASURE_KIND)
ISSUER = "vestibule"


class ReceiptSigner:
    """Signs receipts with one key; older keys still verify earlier receipts."""

    def __init__(self, keys: "list[OKPKey]") -> None:
        """Take the keys; the first one signs."""
        private_key = keys[0].private_key
        if not isinstance(private_key, Ed25519PrivateKey):
            raise ValueError("a receipt key must be an Ed25519 private key")
        self._sign = private_key.sign
        self._head, self._erasure_head, self._head_of_audit = (
            urlsafe_b64encode(orjson.dumps({"alg": ALGORITHM, "kid": keys[0].thumbprint(), "typ": kind})).rstrip(b"=")
            + b"."
            for kind in (*RECEIPT_KINDS, HEAD_KIND)
        )
        self.public_keys: dict[str, list[dict[str, str]]] = {"keys": [public_form(key) for key in keys]}

    def sign(self, decided: "DecidedFacts") -> str:
        """Return the receipt of a decision: entities and actions, and nothing of the request's content."""
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "jti": decided.decision_id,
            "iat": int(time.time()),
            "decided_at": int(decided.time),
            "outcome": decided.outcome,
            "route": decided.route,
            "policy": decided.policy,
            "detectors": decided.detectors,
            "actions": decided.actions,
        }
        if decided.request_id is not None:
            claims["request_id"] = decided.request_id
        if decided.withheld is not None:
            claims["would_have"] = decided.withheld
        # joserfc's serialization would cost as much CPU as the signature itself.
        signed = self._head + urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
        return (signed + b"." + urlsafe_b64encode(self._sign(signed)).rstrip(b"=")).decode("ascii")

    def sign_head(self, seq: int, line_hash: str) -> str:
        """Return the signed number and hash of the last line of the audit."""
        content = orjson.dumps({"iss": ISSUER, "iat": int(time.time()), "seq": seq, "hash": line_hash})
        signed = self._head_of_audit + urlsafe_b64encode(content).rstrip(b"=")
        return (signed + b"." + urlsafe_b64encode(self._sign(signed)).rstrip(b"=")).decode("ascii")

    def sign_erasure(self, claims: Mapping[str, Any]) -> str:
        """Return the receipt of an erasure with these claims, which have nothing of the value but its fingerprint."""
        content = orjson.dumps({"iss": ISSUER, "iat": int(time.time()), **claims})
        signed = self._erasure_head + urlsafe_b64encode(content).rstrip(b"=")
        return (signed + b"." + urlsafe_b64encode(self._sign(signed)).rstrip(b"=")).decode("ascii")


class DecidedFacts(NamedTuple):
    """What a receipt says of a decision. `time` is in Unix seconds; `withheld` is None outside a dry run."""

    decision_id: str
    time: float
    request_id: str | None
    route: str
    policy: str
    detectors: str
    outcome: Outcome
    actions: Mapping[str, Action]
    withheld: Mapping[str, Action] | None = None

    @classmethod
    def of_record(cls, record: DecisionRecord) -> "DecidedFacts":
        """Return the facts of a recorded decision."""
        versions = (record.route, record.policy, record.detectors)
        moment = record.time.timestamp()
        facts = (record.outcome, record.actions, record.withheld)
        return cls(record.decision_id, moment, record.request_id, *versions, *facts)


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
