"""A receipt holds what was decided, and whoever has the public key can tell that it was not made up."""

import base64
import json
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from vestibule.client.receipts import Flaw, ReceiptInvalid, verify_receipt
from vestibule.policy import Action, DecidedFinding, Decision
from vestibule.policy.receipts import (
    DecidedFacts,
    ReceiptKeyUnreadable,
    ReceiptSigner,
    ensure_receipt_key,
    generate_key,
    load_keys,
    public_form,
    read_receipt_keys,
)


class _Finding:
    entity, start, end, score = "EMAIL_ADDRESS", 3, 9, 0.9


DECISION = Decision("p1", [DecidedFinding("value", _Finding(), Action.REDACT)])


@pytest.fixture
def signer() -> ReceiptSigner:
    """A signer with a key of its own."""
    return ReceiptSigner(load_keys(generate_key()))


def _sign(signer: ReceiptSigner, decision: Decision = DECISION) -> str:
    facts = DecidedFacts(
        "d-1",
        1_700_000_000.5,
        "r-1",
        "/add",
        decision.policy_version,
        "d1",
        decision.outcome,
        decision.actions,
        decision.withheld if decision.is_dry_run else None,
    )
    return signer.sign(facts)


def test_a_receipt_says_what_was_decided(signer: ReceiptSigner) -> None:
    """With one key or with a set, and nothing but kinds, actions and ids."""
    for keys in (signer.public_keys, signer.public_keys["keys"][0]):
        claims = verify_receipt(_sign(signer), keys)
        ids = {"iss", "jti", "iat", "decided_at", "request_id"}
        assert ids | {"outcome", "route", "policy", "detectors", "actions"} == set(claims)
        assert 1_700_000_000 == claims["decided_at"] < claims["iat"]
        assert ("d-1", "let_in", {"EMAIL_ADDRESS": "redact"}) == (claims["jti"], claims["outcome"], claims["actions"])


def test_a_dry_run_is_written_in(signer: ReceiptSigner) -> None:
    """The receipt of a dry run says what would have been done."""
    decided = [one._replace(action=Action.ALERT) for one in DECISION.findings]
    claims = verify_receipt(_sign(signer, Decision("p1", decided, [Action.BLOCK])), signer.public_keys)
    assert ({"EMAIL_ADDRESS": "alert"}, {"EMAIL_ADDRESS": "block"}) == (claims["actions"], claims["would_have"])


def test_a_receipt_is_an_ordinary_jws(signer: ReceiptSigner) -> None:
    """A library that knows nothing of us verifies it with the published key."""
    key = OKPKey.import_key({**signer.public_keys["keys"][0]})
    content = jws.deserialize_compact(_sign(signer).encode(), key, algorithms=["Ed25519"])
    assert "d-1" == json.loads(content.payload)["jti"]
    assert "Ed25519" == content.headers()["alg"]


def test_what_was_changed_or_made_up_does_not_hold(signer: ReceiptSigner) -> None:
    """Another key, other claims, another algorithm, another kind, and no receipt at all."""
    head, payload, signature = _sign(signer).split(".")
    other = base64.urlsafe_b64encode(b'{"outcome":"let_in"}').decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    unknown_caller = ReceiptSigner(load_keys(generate_key()))
    key = OKPKey.generate_key("Ed25519")
    plain = jws.serialize_compact({"alg": "Ed25519"}, b"{}", key, algorithms=["Ed25519"])
    for made_up in (f"{head}.{other}.{signature}", f"{none}.{payload}.", "x.y.z", "", "ключ", _sign(unknown_caller)):
        with pytest.raises(ReceiptInvalid):
            verify_receipt(made_up, signer.public_keys)
    with pytest.raises(ReceiptInvalid, match="not a receipt"):
        verify_receipt(plain, public_form(key))
    for keys in ({}, {"keys": []}, {"keys": [{"kty": "nothing"}]}):
        with pytest.raises(ReceiptInvalid):
            verify_receipt(_sign(signer), keys)


def test_a_flaw_is_named(signer: ReceiptSigner) -> None:
    """Changed, signed by somebody else, of another kind, or no receipt: a reader learns which."""
    head, payload, signature = _sign(signer).split(".")
    stranger = ReceiptSigner(load_keys(generate_key()))
    flaws = {
        f"{head}.{payload[:-4]}AAAA.{signature}": Flaw.CHANGED,
        _sign(stranger): Flaw.UNKNOWN_KEY,
        signer.sign_head(1, "0" * 64): Flaw.OTHER_KIND,
        "hello": Flaw.NOT_A_JWS,
    }
    for text, flaw in flaws.items():
        with pytest.raises(ReceiptInvalid) as refused:
            verify_receipt(text, signer.public_keys)
        assert flaw == refused.value.flaw


def test_a_key_that_was_replaced_still_verifies() -> None:
    """A new key stands before the old one in the file: it signs, and both are published."""
    old, new = generate_key(), generate_key()
    before, after = ReceiptSigner(load_keys(old)), ReceiptSigner(load_keys(new + b"\n" + old))
    assert "d-1" == verify_receipt(_sign(before), after.public_keys)["jti"]
    assert "d-1" == verify_receipt(_sign(after), after.public_keys)["jti"]
    with pytest.raises(ReceiptInvalid):
        verify_receipt(_sign(after), before.public_keys)


def test_the_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Readable by nobody else, and the same ever after; what is no key is refused without being shown."""
    path = tmp_path / "keys" / "receipt_key.pem"
    ensure_receipt_key(path)
    first = path.read_bytes()
    ensure_receipt_key(path)
    assert (first, 0o600) == (path.read_bytes(), path.stat().st_mode & 0o777)
    assert 1 == len(read_receipt_keys(path))
    path.write_text("-----BEGIN PRIVATE KEY-----\nZZZZ\n-----END PRIVATE KEY-----\n")
    for broken in (path, tmp_path / "missing"):
        with pytest.raises(ReceiptKeyUnreadable) as caught:
            read_receipt_keys(broken)
        assert "ZZZZ" not in str(caught.value)


def test_public_keys_hold_nothing_private(signer: ReceiptSigner) -> None:
    """`d` is the private part of a JWK."""
    assert {"kty", "crv", "x", "kid", "alg", "use"} == set(signer.public_keys["keys"][0])
