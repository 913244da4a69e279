"""A receipt, pasted into a page: what it says, or why it does not hold."""

from datetime import UTC, datetime

import pytest

from vestibule.client.receipts import Flaw
from vestibule.console.pages.receipts.check import REASONS, CheckedReceipt, check
from vestibule.policy.receipts import ReceiptSigner, generate_key, load_keys


@pytest.fixture
def signer() -> ReceiptSigner:
    """A signer with a key of its own."""
    return ReceiptSigner(load_keys(generate_key()))


def test_a_receipt_of_an_erasure_is_one(signer: ReceiptSigner) -> None:
    """Its times can be shown."""
    receipt = signer.sign_erasure({"jti": "e-1", "erased": {"entry": 2}, "ended_at": 1_700_000_000})
    checked = check(receipt, signer.public_keys)
    assert (None, True) == (checked.flaw, checked.is_erasure)
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == checked.at("ended_at")


def test_every_flaw_is_put_into_words(signer: ReceiptSigner) -> None:
    """Whatever was pasted, the page says why."""
    stranger = ReceiptSigner(load_keys(generate_key()))
    assert set(REASONS) == set(Flaw)
    for text, flaw in (("hello", Flaw.NOT_A_JWS), (stranger.sign_erasure({}), Flaw.UNKNOWN_KEY)):
        assert REASONS[flaw] == check(text, signer.public_keys).flaw


@pytest.mark.parametrize("seconds", [None, "now", 10**30, -(10**30), float("nan")])
def test_a_strange_time_is_none(seconds: object) -> None:
    """A key may have signed anything."""
    assert CheckedReceipt({"iat": seconds}).at("iat") is None


def test_actions_are_pairs_or_none() -> None:
    """Also where the claim has another type."""
    assert {} == CheckedReceipt({"actions": ["x"]}).actions("actions")
    assert {"A": "mask"} == CheckedReceipt({"actions": {"A": "mask"}}).actions("actions")
