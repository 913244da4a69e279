"""Finding a subject in a text: as a whole, in whatever case, in one pass, and beside other work."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.contracts.subjects import AT_ONCE_CHARS, SubjectSearch

ADDRESS = "jane@example.org"
SIGNS = st.text(alphabet="aAß1.-_+@< ", max_size=12)


@pytest.mark.parametrize(
    "text",
    [ADDRESS, f"to {ADDRESS.upper()}, today", f"<{ADDRESS}>", f"mary.{ADDRESS} or {ADDRESS}", f"x{ADDRESS}, {ADDRESS}"],
)
def test_it_is_found(text: str) -> None:
    """In whatever case and whatever stands around it, also after a longer one that it is only a part of."""
    assert SubjectSearch([ADDRESS]).finds_in(text)


@pytest.mark.parametrize(
    "text", ["", "jane", f"mary.{ADDRESS}", f"x{ADDRESS}", f"{ADDRESS}s", "jane at example.org", "jane@@example.org"]
)
def test_a_part_of_something_else_is_not_it(text: str) -> None:
    """What only holds its letters, or holds it as a part of a longer value, is somebody else's."""
    assert not SubjectSearch([ADDRESS]).finds_in(text)


@given(forms=st.lists(SIGNS, max_size=4), text=st.text(alphabet="aAß1.-_+@< ", max_size=60))
def test_it_is_what_a_search_form_by_form_finds(forms: list[str], text: str) -> None:
    """The one pass finds what a regular expression for each form finds."""

    def stands(form: str) -> bool:
        pattern = rf"(?<![^\W_])(?<![^\W_][-._+]){re.escape(form)}(?![^\W_])"
        return re.search(pattern, text.casefold()) is not None

    expected = any(stands(form.casefold()) for form in forms if form)
    assert expected == SubjectSearch(forms).finds_in(text)


async def test_a_long_text_lets_others_have_their_turn() -> None:
    """A search through a million characters runs beside the event loop, which goes on."""
    search, turns = SubjectSearch([ADDRESS]), 0
    searching = asyncio.create_task(search.finds_among(None, "a 1 " * 250_000, f"- {ADDRESS} -" * AT_ONCE_CHARS))
    while not searching.done():
        await asyncio.sleep(0)
        turns += 1
    assert searching.result()
    assert turns > 10


async def test_several_texts() -> None:
    """It is found in any of several, some of which may not be there."""
    search = SubjectSearch([ADDRESS])
    assert await search.finds_among(None, "nothing", f"for {ADDRESS}")
    assert not await search.finds_among(None, "nothing")
