"""The signing key of receipts: created at the first start, or given as a file."""

from pathlib import Path

from joserfc.jwk import OKPKey

from vestibule.policy.audit.receipts import generate_key, load_keys
from vestibule.runtime.private_file import change_alone, write_private


class ReceiptKeyUnreadable(ValueError):
    """The signing key of receipts cannot be read."""


def read_receipt_keys(path: Path) -> list[OKPKey]:
    """Return the keys in `path`: the first one signs, and the public parts of all are published.

    Raises:
        ReceiptKeyUnreadable: there is none, or it is not one; the message shows none of it.
    """
    try:
        return load_keys(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ReceiptKeyUnreadable(f"cannot read the receipt key {path} ({type(error).__name__})") from None


def ensure_receipt_key(path: Path) -> None:
    """Make a key, unless there is a file already.

    Raises:
        OSError: it cannot be written.
    """
    if not path.exists():
        with change_alone(path):
            if not path.exists():
                write_private(path, generate_key())
