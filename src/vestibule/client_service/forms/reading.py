"""Reads the body of a form into names and values: urlencoded, multipart without files, or a JSON object.

Sources: WHATWG URL standard, section 5.1 (urlencoded); RFC 7578 (multipart/form-data); RFC 8259 (JSON).
"""

import asyncio
import math
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from pydantic_core import from_json
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vestibule.client_service.forms.values import FormValue, Scalar
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.errors import FormInvalid, FormMediaType, InvalidInput, TooLarge

JSON, URLENCODED, MULTIPART = FormMediaType.media_type.split(", ")
# Values of a form, those in lists among them.
MAX_VALUES = 200
MAX_NAME_CHARS = 100
# To parse more bytes than this takes longer than others should wait.
LARGE_BODY_BYTES = 64 * 1024
# What stands in this field says how a browser encoded the others (HTML, section 4.10.22.7).
CHARSET_FIELD = "_charset_"
UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})
_UNCODED = frozenset({b"", b"7bit", b"8bit", b"binary"})

Given = dict[str, FormValue]


async def read_form(content_type: str, content: bytes) -> Given:
    """Return the values of a form by their names, in the order in which they came; those of one name are a list.

    Raises:
        FormMediaType: it is none of the three media types, not in UTF-8, or has a file.
        TooLarge: it has more bytes than a value may have.
        FormInvalid: it has too many values, or a name that is too long.
        InvalidInput: it is malformed.
    """
    if len(content) > MAX_VALUE_BYTES:
        raise TooLarge(f"A form may have at most {MAX_VALUE_BYTES:,} bytes.")
    media_type, options = parse_options_header(content_type)
    _check_charset(options.get(b"charset", b"utf-8"))
    kind = media_type.decode("latin-1")
    if kind in (URLENCODED, MULTIPART):
        read = _read_urlencoded if kind == URLENCODED else _Parts(options.get(b"boundary", b"")).read
        pairs = read(content) if len(content) <= LARGE_BODY_BYTES else await asyncio.to_thread(read, content)
        return _gather(pairs)
    if kind == JSON or (kind.startswith("application/") and kind.endswith("+json")):
        return _read_json(content)
    raise FormMediaType("Send the form as JSON, urlencoded, or as multipart/form-data.")


def _too_many() -> FormInvalid:
    mistake = {"where": "body", "kind": "too_many_values", "expected": f"at most {MAX_VALUES} values"}
    return FormInvalid(f"A form has at most {MAX_VALUES} values. Nothing was stored.", errors=[mistake])


def _check_charset(charset: bytes) -> None:
    if charset.decode("latin-1").strip("'\" ").lower() not in UTF_8:
        raise FormMediaType("A form is read as UTF-8. Send it so; in a page, `<meta charset=utf-8>` does it.")


def _malformed(expected: str) -> InvalidInput:
    mistake = {"where": "body", "kind": "form_invalid", "expected": expected}
    return InvalidInput("The request is not valid. Check: body.", errors=[mistake])


def _read_urlencoded(content: bytes) -> list[tuple[str, str]]:
    if content.count(b"&") >= MAX_VALUES:
        raise _too_many()
    try:
        return parse_qsl(content.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise _malformed("percent-encoded UTF-8") from None


def _gather(pairs: list[tuple[str, str]]) -> Given:
    """Return the values by name, without what says how the form is encoded."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name == CHARSET_FIELD:
            _check_charset(value.encode("latin-1", "replace") or b"utf-8")
            continue
        _check_name(name)
        if name not in given:
            given[name] = value
        elif isinstance(given[name], list):
            given[name].append(value)
        else:
            given[name] = [given[name], value]
    return given


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        expected = f"names of 1 to {MAX_NAME_CHARS} printable characters"
        mistake = {"where": "body", "kind": "name_invalid", "expected": expected}
        raise FormInvalid(f"The fields of a form have {expected}. Nothing was stored.", errors=[mistake])


def _read_json(content: bytes) -> Given:
    try:
        given = from_json(content, allow_inf_nan=False)
    except ValueError:
        raise InvalidInput("The body is not readable as JSON.") from None
    if not isinstance(given, dict):
        raise _malformed("an object of fields")
    values = 0
    for name, value in given.items():
        several = value if isinstance(value, list) else [value]
        values += max(1, len(several))
        if values > MAX_VALUES:
            raise _too_many()
        _check_name(name)
        if not all(_is_scalar(one) for one in several):
            raise _malformed("strings, finite numbers, booleans, null, and lists of these as the values of fields")
    return given


def _is_scalar(value: object) -> bool:
    return value is None or (isinstance(value, Scalar) and (not isinstance(value, float) or math.isfinite(value)))


class _Parts:
    """The parts of one multipart body, as the parser reports them."""

    def __init__(self, boundary: bytes) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._headers: dict[bytes, bytes] = {}
        self._header = self._header_value = b""
        self._value: list[bytes] = []
        self._name = ""
        self._is_absent_file = self._is_whole = False
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._add_header_name,
            "on_header_value": self._add_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._take_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        if not boundary:
            raise _malformed("a `boundary` in the header `Content-Type`")
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            self._refuse()

    def read(self, content: bytes) -> list[tuple[str, str]]:
        """Return the names and values of the parts.

        Raises:
            InvalidInput, FormInvalid, FormMediaType: it is malformed, or has what a form may not have.
        """
        try:
            self._parser.write(content)
            self._parser.finalize()
        except FormParserError:
            self._refuse()
        if not self._is_whole and content:
            self._refuse()
        return self._pairs

    def _refuse(self) -> NoReturn:
        raise _malformed(
            "multipart/form-data as RFC 7578 has it, with the boundary that `Content-Type` names"
        ) from None

    def _begin(self) -> None:
        if len(self._pairs) == MAX_VALUES:
            raise _too_many()
        self._headers, self._value, self._is_absent_file = {}, [], False

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._header.lower()] = self._header_value
        self._header = self._header_value = b""

    def _take_headers(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition"))
        if disposition != b"form-data" or b"name" not in options:
            self._refuse()
        self._name = _decode(options[b"name"])
        # A browser sends a field for files in which none was chosen as an empty file without a name.
        self._is_absent_file = options.get(b"filename") == b""
        if options.get(b"filename"):
            raise FormMediaType("A form has no files. Nothing was stored.")
        media_type, about = parse_options_header(self._headers.get(b"content-type"))
        is_coded = self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in _UNCODED
        if is_coded or (media_type not in (b"", b"text/plain") and not self._is_absent_file):
            raise FormMediaType("The parts of a form are plain text. Nothing was stored.")
        _check_charset(about.get(b"charset", b"utf-8"))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_absent_file and end > start:
            raise FormMediaType("A form has no files. Nothing was stored.")
        self._value.append(data[start:end])

    def _end(self) -> None:
        if not self._is_absent_file:
            self._pairs.append((self._name, _decode(b"".join(self._value))))

    def _finish(self) -> None:
        self._is_whole = True


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise _malformed("names and values in UTF-8") from None
