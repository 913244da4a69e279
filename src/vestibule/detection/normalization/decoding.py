"""Decodes what is encoded inside a text: each result is a layer, which is scanned as a text of its own.

The layers are URL encoding, quoted-printable and base64, with UTF-16, gzip and hexadecimal digits. Only the time budget
limits their number.
"""

import binascii
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from vestibule.detection.errors import TextTooLarge
from vestibule.detection.normalization import Edits, RewrittenText, character_of
from vestibule.detection.normalization.records import MANIFEST_PATTERN, TABLE_PATTERN, read_manifests, read_tables

# What the prefilter looks for: the start of a token, two lines of one, a sign of quoted-printable, and
# characters that a terminal does not show.
TOKEN_CHARS = 24
BASE64_PATTERN = rf"(?:^|[^A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{{{TOKEN_CHARS}}}"
FOLDED_PATTERN = r"[A-Za-z0-9+/_-]{16}[ \t]?(?:\r?\n|  )[ \t>#|*]{0,16}[A-Za-z0-9+/_-]{4}"
QUOTED_PATTERN = r"[A-Za-z0-9](?:=40[A-Za-z]|=2[DE][A-Za-z0-9]|=3D)|(?:=[0-9A-F]{2}){3}|(?:^|[^=])=[ \t]?\r?\n[^\s]"
CONTROL_PATTERN = r"[\x00-\x08\x0e-\x1f\x7f]"
# Source: RFC 2152: characters of UTF-16 in base64 between + and -; those of ASCII begin with A.
UTF_7_PATTERN = r"\+A[A-H][A-Za-z0-9+/]{1,64}-"
BASE64, FOLDED, QUOTED, CONTROL, TABLE, MANIFEST, UTF_7 = -1, -2, -3, -4, -5, -6, -7
URL, QUOTED_PRINTABLE, TOKEN, COLUMN, SECRET = "url", "quoted-printable", "base64", "table", "kubernetes-secret"
SIGNS = {
    BASE64: BASE64_PATTERN,
    FOLDED: FOLDED_PATTERN,
    QUOTED: QUOTED_PATTERN,
    CONTROL: CONTROL_PATTERN,
    TABLE: TABLE_PATTERN,
    MANIFEST: MANIFEST_PATTERN,
    UTF_7: UTF_7_PATTERN,
}

_TOKEN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}+={0,2}+(?![A-Za-z0-9+/_=-])")
# Lines of base64, and what stands between them: white space, and the marks of a quotation.
_LINES = re.compile(
    r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}+(?:(?:[ \t]?\r?\n|  )[ \t>#|*]*+[A-Za-z0-9+/_-]++)+={0,2}"
)
_LINE = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BASE64_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_BETWEEN_LINES = " \t\r\n>#|*"
# The first line of a token is no longer than this.
_LINE_CHARS = 16_384
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# One match is one character. A percent sign that is escaped itself, however often, counts as one.
_PERCENT = "%(?:25)*"
_CONTINUATION = f"{_PERCENT}[89ABab][0-9A-Fa-f]"
_URL_ESCAPE = re.compile(
    f"{_PERCENT}(?:[0-7][0-9A-Fa-f]|[CDcd][0-9A-Fa-f]{_CONTINUATION}|[Ee][0-9A-Fa-f](?:{_CONTINUATION}){{2}}"
    f"|[Ff][0-7](?:{_CONTINUATION}){{3}}|[89A-Fa-f][0-9A-Fa-f]"
    f"|[Uu][Dd][89ABab][0-9A-Fa-f]{{2}}{_PERCENT}[Uu][Dd][C-Fc-f][0-9A-Fa-f]{{2}}|[Uu][0-9A-Fa-f]{{4}})"
)
# A form writes a space as a plus sign.
_FORM_FIELD = re.compile(r"[\w.%\[\]-]{1,64}=[^&\s+]{0,256}\+[^&\s]*")
_FIELD_CHARS = 322
_PLUS = re.compile(r"\+")
# Soft line breaks (but not the padding of base64), encoded punctuation, and several characters in a row: a single one
# may be a number after its name.
_QUOTED_ESCAPE = re.compile(
    r"=(?:(?<![A-Za-z0-9+/_-]{20}=)(?<!==)[ \t]*\r?\n|[0-9A-F]{2}(?:=[0-9A-F]{2})++|2[B-F]|3[A-F]|40|5[B-F]|60|7[B-F])"
)
_CONTROL_RUN = re.compile(r"(?:\x1b\[[0-9;]{0,16}[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f])+")
_UTF_7_ESCAPE = re.compile(UTF_7_PATTERN)
_HEXADECIMAL_CHARS = "0123456789abcdefABCDEF-"
_PREFIXED_HEXADECIMAL_CHARS = "x" + _HEXADECIMAL_CHARS
_READABLE = bytes(range(32, 127)) + b"\t\n\r"
# A gzip or zlib stream begins with one of these. Source: RFC 1950, RFC 1952.
_COMPRESSED = (b"\x1f\x8b", b"x\x01", b"x\x9c", b"x\xda")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_FIRST_BYTES = b"\x1fx\xff\xfe"
_ANY_HEADER = zlib.MAX_WBITS | 32
MAX_INFLATED_BYTES = 1_048_576


# Far from what was decoded, a layer is the same as the text that it was made of and is not scanned again.
WINDOW_CHARS = 2_048
# A finding is the layer's where something was decoded in it, or as near as its labels.
_NEAR_CHARS = 64


class Layer(NamedTuple):
    """A decoded text, how it was encoded, and where its findings may be in the encoded text (and in `content`)."""

    kind: str
    content: RewrittenText
    low: int
    high: int
    zone: tuple[int, int] | None = None


def decode_layers(text: str, signs: Mapping[int, Sequence[int]], path: Sequence[str]) -> Iterator[Layer]:
    """Yield the other layers of a text; `signs` are those of `SIGNS` that the prefilter has found, and where they end.

    `path` are the kinds of the layers that the text was decoded from, the outermost first. Signs of forms
    and quoted-printable are decoded once each, until the next base64.

    Raises:
        TextTooLarge: compressed content is too large to be scanned.
    """
    if TOKEN in path:
        path = path[len(path) - path[::-1].index(TOKEN) :]
    if CONTROL in signs:
        yield from _windows("control", RewrittenText(text).replace(_CONTROL_RUN.finditer(text), lambda _run: ""))
    # Each time makes the text shorter, down to the bound of layers: the digits of an escape may be escaped themselves.
    is_form = "+" in text and "=" in text and URL not in path
    if "%" in text or is_form:
        matches = list(_URL_ESCAPE.finditer(text)) if "%" in text else []
        if is_form and (pluses := list(_pluses_of_forms(text))):
            matches = sorted((*matches, *pluses), key=re.Match.start)
        yield from _windows(URL, RewrittenText(text).replace(matches, _decode_url_escape))
    if QUOTED in signs and QUOTED_PRINTABLE not in path:
        content = RewrittenText(text).replace(_QUOTED_ESCAPE.finditer(text), _decode_quoted_escape)
        yield from _windows(QUOTED_PRINTABLE, content)
    if UTF_7 in signs:
        matches = [escape for escape in _UTF_7_ESCAPE.finditer(text) if _decode_utf_7(escape[0]) != escape[0]]
        yield from _windows("utf-7", RewrittenText(text).replace(matches, _decode_utf_7))
    if FOLDED in signs:
        yield from _decode_lines(text, signs[FOLDED])
    if TABLE in signs and COLUMN not in path:
        yield from (Layer(COLUMN, *records) for records in read_tables(text, signs[TABLE]))
    if MANIFEST in signs and SECRET not in path:
        yield from (Layer(SECRET, *records) for records in read_manifests(text, signs[MANIFEST]))


def decode_tokens(text: str, ends: Iterable[int]) -> Iterator[Layer]:
    """Yield the layers of the tokens of base64, or of hexadecimal digits, that the prefilter has found.

    Raises:
        TextTooLarge: compressed content is too large to be scanned.
    """
    for end in ends:
        begin = end - TOKEN_CHARS
        # The end is given or taken one.
        token = _TOKEN.match(text, begin) or _TOKEN.match(text, max(begin - 1, 0)) or _TOKEN.match(text, begin + 1)
        if token and (decoded := _decode_token(token[0])):
            yield _layer_of(decoded, *token.span())


def _pluses_of_forms(text: str) -> Iterator[re.Match[str]]:
    """Yield the plus signs that mean a space."""
    at = text.find("+")
    while at >= 0:
        low = max(at - _FIELD_CHARS, 0)
        begin = max(text.rfind(char, low, at) for char in "?& \t\r\n") + 1
        field = _FORM_FIELD.match(text, begin) if begin or not low else None
        yield from _PLUS.finditer(text, *field.span()) if field else ()
        at = text.find("+", field.end() if field else at + 1)


def _windows(kind: str, content: RewrittenText) -> Iterator[Layer]:
    """Yield the parts of a text in which something was decoded, with what is around them."""
    if not content.passes:
        return
    text, edits, size = content.text, content.passes[-1], len(content.passes[-1].starts)
    first = 0
    for at in range(1, size + 1):
        if at == size or edits.new_starts[at] - edits.new_ends[at - 1] > 2 * WINDOW_CHARS:
            low = max(edits.new_starts[first] - WINDOW_CHARS, 0)
            part = RewrittenText(text[low : edits.new_ends[at - 1] + WINDOW_CHARS], (*content.passes, _shift(low)))
            zone = edits.new_starts[first] - _NEAR_CHARS - low, edits.new_ends[at - 1] + _NEAR_CHARS - low
            yield Layer(kind, part, edits.starts[first] - _NEAR_CHARS, edits.ends[at - 1] + _NEAR_CHARS, zone)
            first = at


def _shift(chars: int) -> Edits:
    return Edits([0], [chars], [0], [0])


def _decode_url_escape(escape: str) -> str:
    if escape == "+":
        return " "
    parts = escape.split("%")[1:]
    if "u" in escape or "U" in escape:
        return character_of([int(part[-4:], 16) for part in parts])
    return _decode_utf_8(bytes.fromhex("".join([part[-2:] for part in parts])))


def _decode_utf_8(raw: bytes) -> str:
    """Decode one character, of ASCII also in more bytes than it needs, as careless programs do."""
    if len(raw) > 1:
        code = raw[0] & 0x7F >> len(raw)
        for byte in raw[1:]:
            code = code << 6 | byte & 0x3F
        if code < 0x80:
            return chr(code)
    return raw.decode("utf-8", "replace")


def _decode_quoted_escape(escape: str) -> str:
    return "" if escape[-1] == "\n" else bytes.fromhex(escape.replace("=", "")).decode("utf-8", "replace")


def _decode_utf_7(escape: str) -> str:
    try:
        plain = escape.encode().decode("utf-7")
    except UnicodeDecodeError:
        return escape
    return plain if plain.isascii() and plain.isprintable() else escape


def _decode_lines(text: str, ends: Iterable[int]) -> Iterator[Layer]:
    reached = 0
    for end in sorted(ends):
        if end <= reached:
            continue
        low = max(end - _LINE_CHARS, reached)
        head = text[low:end].rstrip(_BASE64_CHARS).rstrip(_BETWEEN_LINES).rstrip(_BASE64_CHARS)
        if run := _LINES.match(text, low + len(head)):
            reached = run.end()
            yield from _decode_run(text, [line.span() for line in _LINE.finditer(text, *run.span())])


def _decode_run(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[Layer]:
    """Join lines of equal width, with a shorter one after them and one of any width before them."""
    widths = [end - start for start, end in lines]
    at = 0
    while at < len(lines):
        after = at + 1
        while after < len(lines) and widths[after] == widths[at]:
            after += 1
        has_rest = after < len(lines) and widths[after] < widths[at]
        for first, end in product((at - 1, at) if at else (at,), (after + 1, after) if has_rest else (after,)):
            joined = "".join([text[slice(*line)] for line in lines[first:end]])
            if end - first > 1 and (decoded := _decode_token(joined, is_strict=True)):
                yield _layer_of(decoded, lines[first][0], lines[end - 1][1])
                break
        at = after


def _layer_of(text: str, start: int, end: int) -> Layer:
    return Layer(TOKEN, RewrittenText(text, (Edits([start], [end], [0], [len(text)]),)), start, end)


def _decode_token(token: str, *, is_strict: bool = False) -> str | None:
    """Return the content of a token; None if it is not text."""
    if not token.strip(_HEXADECIMAL_CHARS):
        return _decode_hexadecimal(token)
    if token[:2] == "0x" and not token.strip(_PREFIXED_HEXADECIMAL_CHARS):
        return _decode_hexadecimal(token[2:])
    bare = token.rstrip("=").encode().translate(_URL_SAFE)
    try:
        raw = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
    except binascii.Error:
        return None
    return _text_of(raw, is_strict=is_strict)


def _decode_hexadecimal(digits: str) -> str | None:
    """Return ASCII text; most others are hashes and UUIDs, and no base64 of a text has these characters alone."""
    if digits[0] not in "234567" or len(digits) % 2 or "-" in digits:
        return None
    raw = bytes.fromhex(digits)
    return raw.decode() if raw.isascii() and _is_readable(raw, 0) else None


def _text_of(raw: bytes, *, is_strict: bool) -> str | None:
    """Return the text in UTF-8 or UTF-16, compressed or not, that `raw` holds, or that most of it is."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        if raw[0] in _FIRST_BYTES:
            if raw.startswith(_COMPRESSED) and (inflated := _inflate(raw)):
                return _text_of(inflated, is_strict=is_strict)
            if raw.startswith(_UTF_16):
                return raw.decode("utf-16", "replace")
        return raw.decode("utf-8", "replace") if not is_strict and _is_readable(raw, 0.2) else None
    if "\0" in text and 3 * text.count("\0") > len(text):
        return raw.decode("utf-16-le" if raw[1::2].count(0) > raw[::2].count(0) else "utf-16-be", "replace")
    return text if not raw.isascii() or _is_readable(raw, 0.2) else None


def _inflate(raw: bytes) -> bytes:
    try:
        inflated = zlib.decompressobj(_ANY_HEADER).decompress(raw, MAX_INFLATED_BYTES + 1)
    except zlib.error:
        return b""
    if len(inflated) > MAX_INFLATED_BYTES:
        raise TextTooLarge(MAX_INFLATED_BYTES)
    return inflated


def _is_readable(raw: bytes, others: float) -> bool:
    return len(raw.translate(None, _READABLE)) <= others * len(raw)
