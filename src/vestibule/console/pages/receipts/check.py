"""Receipts, verified: what one says, or why it does not hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vestibule.client.receipts import Flaw, ReceiptInvalid, verify_receipt

# Why a receipt does not hold, in words and with what to do.
REASONS = {
    Flaw.NOT_A_JWS: "This text is not a receipt. A receipt is one long line of three parts with dots between them; "
    "paste all of it.",
    Flaw.UNKNOWN_KEY: "This installation has no key that signed it. It comes from another installation, its key was "
    "removed, or somebody made it up.",
    Flaw.CHANGED: "It was changed after it was signed: the signature does not match the content.",
    Flaw.OTHER_KIND: "The signature is valid, but what it signs is not a receipt of a decision or an erasure.",
}


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """What a receipt says, or the reason why it does not hold."""

    claims: Mapping[str, Any]
    flaw: str | None = None

    @property
    def is_erasure(self) -> bool:
        """Whether it is the receipt of an erasure."""
        return "erased" in self.claims

    def at(self, name: str) -> datetime | None:
        """Return a time among the claims."""
        seconds = self.claims.get(name)
        try:
            return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
        except (ValueError, OverflowError, OSError):
            return None

    def actions(self, name: str) -> Mapping[str, str]:
        """Return the actions by entity; none, if there are none."""
        found = self.claims.get(name)
        return found if isinstance(found, dict) else {}


def check(receipt: str, keys: Mapping[str, Any]) -> CheckedReceipt:
    """Verify a receipt with the public keys of an installation."""
    try:
        return CheckedReceipt(verify_receipt(receipt, keys))
    except ReceiptInvalid as error:
        return CheckedReceipt({}, REASONS[error.flaw])
