"""Bodies of forms as browsers and others send them: what is read, and what is refused within bounded work."""

import asyncio
import threading

import pytest

from vestibule.client_service.forms.reading import JSON, MULTIPART, URLENCODED, read_form
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.errors import FormInvalid, FormMediaType, InvalidInput, TooLarge

PARTS = f"{MULTIPART}; boundary=b"
END = "--b--\r\n"


def _part(about: str, text: str = "x", *headers: str) -> str:
    lines = [f"Content-Disposition: form-data; {about}", *headers]
    return "--b\r\n" + "".join(f"{line}\r\n" for line in lines) + f"\r\n{text}\r\n"


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (URLENCODED, "a=1&b=x+%26+y&a=2&c=&a=3", {"a": ["1", "2", "3"], "b": "x & y", "c": ""}),
        (URLENCODED, "n=J%C3%BCrgen&m=Jürgen", {"n": "Jürgen", "m": "Jürgen"}),
        (f"{URLENCODED}; charset=UTF-8", "a=1;b=2", {"a": "1;b=2"}),
        (URLENCODED, "_charset_=utf-8&a=1", {"a": "1"}),
        (PARTS, _part('name="a"', "Zeile 1\r\n--bb") + _part('name="q\\"x%22"', "ü") + END,
         {"a": "Zeile 1\r\n--bb", 'q"x%22': "ü"}),
        (PARTS, _part('name="a"', "1", "Content-Type: text/plain; charset=utf-8") + END, {"a": "1"}),
        (PARTS, _part('name="f"; filename=""', "", "Content-Type: application/octet-stream") + END, {}),
        (PARTS, _part('name="a"; filename*=x') + END, {"a": "x"}),
        (JSON, '{"a": [1, null, true, 1.5, "x"], "b": 123456789012345678901234567890}',
         {"a": [1, None, True, 1.5, "x"], "b": 123456789012345678901234567890}),
        ("application/vnd.form+json", '{"a": "x"}', {"a": "x"}),
    ],
)  # fmt: skip
async def test_what_browsers_send_is_read(kind: str, content: str, expected: object) -> None:
    """Values of one name become a list, in order, and nothing else is changed."""
    found = await read_form(kind, content.encode())
    assert expected == found


@pytest.mark.parametrize(
    ("kind", "content", "refusal"),
    [
        ("", b"a=1", FormMediaType),
        ("text/plain", b"a=1", FormMediaType),
        (f"{JSON}; charset=latin-1", b"{}", FormMediaType),
        (URLENCODED, b"a=%ff", InvalidInput),
        (URLENCODED, b"=x", FormInvalid),
        (URLENCODED, b"a%00=x", FormInvalid),
        (MULTIPART, b"--b--", InvalidInput),
        (f"{MULTIPART}; boundary={'b' * 300}", b"x", InvalidInput),
        (PARTS, _part('name="a"').encode(), InvalidInput),
        (PARTS, b"before" + _part('name="a"').encode() + END.encode(), InvalidInput),
        (PARTS, b"--b\r\nA: b\r\n\r\nx\r\n--b--", InvalidInput),
        (PARTS, (_part('name="a"', "\xff").encode("latin-1")) + END.encode(), InvalidInput),
        (PARTS, (_part('name="a"; filename="f"') + END).encode(), FormMediaType),
        (PARTS, (_part('name="a"; filename=""') + END).encode(), FormMediaType),
        (PARTS, (_part('name="a"', "eA==", "Content-Transfer-Encoding: base64") + END).encode(), FormMediaType),
        (PARTS, (_part('name="a"', "x", "Content-Type: text/plain; charset=latin-1") + END).encode(), FormMediaType),
        (PARTS, (_part('name="a"', "{}", "Content-Type: application/json") + END).encode(), FormMediaType),
        (PARTS, (_part('name="a"') * 201 + END).encode(), FormInvalid),
        (JSON, b"{", InvalidInput),
        (JSON, b'{"a": NaN}', InvalidInput),
        (JSON, b'{"a": 1e999}', InvalidInput),
        (JSON, b'{"a": [["x"]]}', InvalidInput),
        (JSON, b'{"a": "\\ud800"}', InvalidInput),
        (JSON, b'{"a": [' + b"1," * 200 + b"1]}", FormInvalid),
        (JSON, b'{"a": "' + b"x" * MAX_VALUE_BYTES + b'"}', TooLarge),
    ],
)
async def test_what_is_no_form_is_refused(kind: str, content: bytes, refusal: type[Exception]) -> None:
    """Another encoding, a file, what is broken, and what is too much."""
    with pytest.raises(refusal):
        await read_form(kind, content)


async def test_a_large_body_is_read_beside_the_loop() -> None:
    """What takes a moment to decode keeps no other request waiting."""
    readers: set[int] = set()
    before = asyncio.get_running_loop()

    class Noted(bytes):
        def count(self, *values: object) -> int:  # type: ignore[override]
            readers.add(threading.get_ident())
            return super().count(*values)  # type: ignore[arg-type]

    assert {"a": "A" * 100_000} == await read_form(URLENCODED, Noted(b"a=" + b"%41" * 100_000))
    assert readers
    assert threading.get_ident() not in readers
    assert asyncio.get_running_loop() is before
