"""Marks in texts: what is known stands aside while a text is screened, and comes back as itself or as its value."""

import json
import re
import secrets
from collections.abc import Callable
from typing import NamedTuple

from vestibule.encryption.pseudonyms import TOKEN
from vestibule.policy.anonymizer import is_json
from vestibule.policy.stand_ins import StandIns

# Of the private use area of Unicode: no detector knows them, and no text means anything by them.
_BEGIN, _END = "\ue000", "\ue001"
# Letters, since digits might be a finding.
_TO_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopqrstuv")
# Returns the value of a token; None if it stands for none here.
OpenToken = Callable[[str], str | None]


class _Marked(NamedTuple):
    shown: str
    value: str


class Marks:
    """The marks in the texts of one request, for stand-ins, and for tokens if they can be opened."""

    def __init__(self, stand_ins: StandIns, open_token: OpenToken | None = None) -> None:
        self._stand_ins = stand_ins
        self._open_token = open_token
        # Another one for each request: a text that has marks of its own means none of these.
        self._nonce = secrets.token_hex(8).translate(_TO_LETTERS)
        self._marked: list[_Marked] = []
        self._expression = re.compile(f"{_BEGIN}{self._nonce}([g-v]+){_END}")

    def hide(self, text: str) -> str:
        """Return a text with marks in place of stand-ins and tokens."""
        opens = self._open_token
        if opens is not None:
            text = TOKEN.sub(lambda found: self._mark(found[0], opens(found[0])), text)
        return self._stand_ins.replace(text, lambda one: self._mark(one.text, one.value))

    def restore(self, text: str, *, reveals: bool) -> tuple[str, int]:
        """Return a text without marks, with the values if it `reveals`, and how many there were.

        A JSON document stays one.
        """
        if _BEGIN not in text:
            return text, 0
        is_document = reveals and is_json(text)

        def restored(found: re.Match[str]) -> str:
            marked = self._marked[int(found[1].translate(_FROM_LETTERS), 16)]
            if not reveals:
                return marked.shown
            return json.dumps(marked.value, ensure_ascii=False)[1:-1] if is_document else marked.value

        return self._expression.subn(restored, text)

    def _mark(self, shown: str, value: str | None) -> str:
        if value is None:
            return shown
        self._marked.append(_Marked(shown, value))
        return f"{_BEGIN}{self._nonce}{f'{len(self._marked) - 1:x}'.translate(_TO_LETTERS)}{_END}"


_FROM_LETTERS = str.maketrans("ghijklmnopqrstuv", "0123456789abcdef")
