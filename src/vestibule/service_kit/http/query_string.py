"""Checks the query string before the framework reads it, which would put U+FFFD for what it cannot read."""

from urllib.parse import unquote_to_bytes

from vestibule.contracts.errors import InvalidInput

_MISTAKE = {"where": "query", "kind": "encoding", "expected": "percent-encoded UTF-8"}


def check_query(query: bytes) -> None:
    """Let pass what is UTF-8; anything else would be kept as another text than was sent, and keys would meet.

    Raises:
        InvalidInput: it is not.
    """
    if b"%" not in query and query.isascii():
        return
    try:
        unquote_to_bytes(query).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("The request is not valid. Check: query.", errors=[_MISTAKE]) from None
