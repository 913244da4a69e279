"""Decodes one level of URL encoding and base64, within limits."""

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

MAX_DECODED_CHARS = 65_536
MAX_TOKENS = 64
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_TOKEN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,8192}={0,2}(?![A-Za-z0-9+/_=-])")
# What the prefilter looks for: the beginning of a token.
BASE64_PATTERN = r"(?:^|[^A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24}"
# A form writes a space as a plus sign: name=value where the value holds one, or an escape.
_FORM = re.compile(r"(?:^|[?&\s])[\w.%\[\]-]{1,64}=[^&\s+]{0,256}\+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# What hashes and UUIDs are made of; no text with words or numbers in it has base64 of these characters alone.
_HEX = "0123456789abcdef-"


class Layer(NamedTuple):
    """A decoded text; `offsets[i]` is where the original of character `i` begins, None for one piece."""

    kind: str
    text: str
    offsets: Sequence[int] | None
    start: int
    end: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the span in the text that was decoded."""
        if self.offsets is None:
            return self.start, self.end
        return self.offsets[start], self.offsets[end]


def decode_form(text: str) -> Layer | None:
    """Undo `%40` and its like, and in the fields of a form the plus signs."""
    if len(text) > MAX_DECODED_CHARS:
        return None
    plain = text.replace("+", " ") if "+" in text and "=" in text and _FORM.search(text) else text
    has_escapes = "%" in text and _ESCAPES.search(text) is not None
    if has_escapes:
        return _decode_escapes(plain)
    return Layer("form", plain, range(len(text) + 1), 0, len(text)) if plain is not text else None


def _decode_escapes(text: str) -> Layer:
    parts: list[str] = []
    offsets: list[int] = []
    at = 0
    for escapes in _ESCAPES.finditer(text):
        parts.append(text[at : escapes.start()])
        offsets += range(at, escapes.start())
        at = escapes.start()
        decoded = unquote_to_bytes(escapes[0]).decode("utf-8", "replace")
        for char in decoded:
            parts.append(char)
            offsets.append(min(at, escapes.end() - 3))
            at += 3 * len(char.encode("utf-8", "replace")) if char != "\ufffd" else 3
        at = escapes.end()
    parts.append(text[at:])
    offsets += range(at, len(text) + 1)
    return Layer("url", "".join(parts), offsets, 0, len(text))


def decode_base64(text: str) -> Iterator[Layer]:
    """Undo base64 tokens that hold readable text."""
    budget = MAX_DECODED_CHARS
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count >= MAX_TOKENS or budget <= 0:
            return
        if decoded := _decode_token(token[0]):
            budget -= len(decoded)
            yield Layer("base64", decoded, None, token.start(), token.end())


def _decode_token(token: str) -> str | None:
    if not token.strip(_HEX):
        return None
    bare = token.rstrip("=").encode().translate(_URL_SAFE)
    try:
        decoded = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if decoded.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else None
