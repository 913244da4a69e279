"""Fake values of every kind, unique to one run, so that finding one means that it leaked in this run."""

import base64
import hashlib
import json
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

_LETTERS = string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Canary:
    """A value of some kind, and the words around it that make it one; `value` is what must be found nowhere."""

    kind: str
    value: str
    text: str

    def traces(self) -> Iterator[tuple[str, bytes]]:
        """Yield every form in which the value could lie somewhere, with the name of the form."""
        raw = self.value.encode()
        bare = "".join(filter(str.isalnum, self.value))
        yield "as it is", raw
        yield "in upper case", self.value.upper().encode()
        yield "without separators", bare.encode()
        yield "JSON-escaped", json.dumps(self.value)[1:-1].encode()
        yield "URL-encoded", quote(self.value, safe="").encode()
        yield "in hexadecimal", raw.hex().encode()
        for name in ("md5", "sha1", "sha256"):
            yield f"as its {name} without a key", hashlib.new(name, raw, usedforsecurity=False).hexdigest().encode()
        for shift in range(3):
            # The Base64 form of a value inside a longer text depends on where it starts; its middle does not change.
            yield "in Base64", base64.b64encode(b"\0" * shift + raw)[shift + 1 : -4]


def make_canaries() -> list[Canary]:
    """Return one fresh value of every kind, including a clean one that must not leak either."""
    return [
        _canary("EMAIL_ADDRESS", f"canary.{_word(10)}@{_word(8)}.org", "write to {} please"),
        _canary("PHONE_NUMBER", f"+49 30 {_digits(8)}", "call me at {} today"),
        _canary("CREDIT_CARD", _card(), "my card is {} thanks"),
        _canary("IBAN_CODE", _iban(), "pay to IBAN {}"),
        _canary(
            "US_SSN", f"5{_digits(2)}-{secrets.randbelow(89) + 10}-{secrets.randbelow(8999) + 1000}", "my ssn is {}"
        ),
        _canary("PASSWORD", f"Kq7!{_word(9)}X2", "the password is {}"),
        _canary("API_KEY", f"ghp_{_alphanumeric(36)}", "token: {}"),
        _canary("clean text", f"zq{_word(16)}", "nothing special about {}"),
    ]


def _canary(kind: str, value: str, frame: str) -> Canary:
    return Canary(kind, value, frame.format(value))


def _word(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _alphanumeric(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def _digits(length: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(length))


def _card() -> str:
    """Return a number in Visa's range with a valid check digit. Source: ISO/IEC 7812-1, annex B (Luhn)."""
    body = "4539" + _digits(11)
    doubled = sum(sum(divmod(int(digit) * 2, 10)) for digit in body[::-2])
    check = -(doubled + sum(int(digit) for digit in body[-2::-2])) % 10
    number = f"{body}{check}"
    return " ".join(number[start : start + 4] for start in range(0, 16, 4))


def _iban() -> str:
    """Return a German IBAN with valid check digits. Source: ISO 13616, ISO/IEC 7064 (MOD 97-10)."""
    account = _digits(18)
    check = 98 - int(f"{account}131400") % 97
    return f"DE{check:02}{account}"
