"""Erasure of a subject: the request, its progress, and the search in texts."""

import asyncio
import re
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field

# The most forms in one request.
MAX_FORMS = 10_000
# A page ends after this time, however few entries it has, since a value may have a MiB. Erasing runs with low priority,
# so its timeout is longer than that of other calls.
PAGE_S = 0.5
PAGE_TIMEOUT_S = 10.0
# The most characters that are searched on the event loop; longer texts are searched in a thread.
AT_ONCE_CHARS = 20_000


class EraseRequest(BaseModel):
    """The forms in which a subject's value can appear in stored data."""

    model_config = ConfigDict(extra="forbid")

    forms: list[str] = Field(min_length=1, max_length=MAX_FORMS)


class ErasePage(BaseModel):
    """The result of erasing from a page of entries, and where the next page starts."""

    examined: int = Field(description="Entries examined")
    erased: int = Field(description="Values erased because they held one of the forms; each earlier version counts")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


class SubjectSearch:
    """Finds a subject's value in texts, in any of its forms and in any case, since processors may change the case.

    A form matches as a whole: jane@example.org does not match in mary.jane@example.org. A value has thousands of forms
    (its tokens and fingerprints) and a text up to a million characters, so a search looks up each word of the text
    once, among the longest words of the forms.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        self.forms = sorted({form.casefold() for form in forms} - {""})
        self._by_word: dict[str, list[tuple[int, str]]] = {}
        self._without_words: list[str] = []
        for form in self.forms:
            words = list(_WORD.finditer(form))
            if words:
                longest = max(words, key=lambda word: len(word[0]))
                self._by_word.setdefault(longest[0], []).append((longest.start(), form))
            else:
                self._without_words.append(form)

    def finds_in(self, text: str) -> bool:
        """Return whether `text` contains one of the forms."""
        folded = text.casefold()
        for word in _WORD.finditer(folded):
            for start, form in self._by_word.get(word[0], ()):
                if _stands_at(folded, word.start() - start, form):
                    return True
        return any(_stands_in(folded, form) for form in self._without_words)

    async def finds_among(self, *texts: str | None) -> bool:
        """Return whether one of several texts contains a form, without blocking the event loop."""
        given = [text for text in texts if text is not None]
        if sum(map(len, given)) <= AT_ONCE_CHARS:
            return any(map(self.finds_in, given))
        return await asyncio.to_thread(lambda: any(map(self.finds_in, given)))


def _stands_in(text: str, form: str) -> bool:
    at = text.find(form)
    while at >= 0:
        if _stands_at(text, at, form):
            return True
        at = text.find(form, at + 1)
    return False


def _stands_at(text: str, at: int, form: str) -> bool:
    if at < 0 or not text.startswith(form, at):
        return False
    before, after = text[max(0, at - 2) : at], text[at + len(form) : at + len(form) + 1]
    is_part_before = before[-1:].isalnum() or (before[-1:] in _INNER and before[:1].isalnum() and len(before) == 2)
    return not is_part_before and not after.isalnum()


# The characters for which str.isalnum() is true.
_WORD = re.compile(r"[^\W_]+")
# Characters that join the parts of one value, as in the local part of an e-mail address.
_INNER = frozenset(".-_+")
