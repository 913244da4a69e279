"""What is asked and told when everything about a subject is erased."""

from pydantic import BaseModel, ConfigDict, Field


class EraseRequest(BaseModel):
    """The forms in which a subject's value can stand in what is stored."""

    model_config = ConfigDict(extra="forbid")

    forms: list[str] = Field(min_length=1, max_length=10_000)


class ErasePage(BaseModel):
    """What was erased of some entries, and where the next page starts."""

    examined: int = Field(description="Entries that were opened and searched")
    erased: int = Field(description="Values that held one of the forms and are gone, each earlier version counted")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")


def holds(text: str, forms: list[str]) -> bool:
    """Say whether one of `forms` stands in `text` as a whole, in whatever case: processors may have changed it.

    `forms` are in folded case. A value is not a part of a longer one: jane@example.org is not in mary.jane@example.org.
    """
    folded = text.casefold()
    # A value may have thousands of forms, tokens and fingerprints among them, and a text a million characters: most
    # forms hold a character that the text has not, which is told at once.
    characters = set(folded)
    return any(characters.issuperset(form) and _stands_in(folded, form) for form in forms)


def fold(forms: list[str]) -> list[str]:
    """Return the forms in folded case, as `holds` takes them."""
    return sorted({form.casefold() for form in forms})


def _stands_in(text: str, form: str) -> bool:
    at = text.find(form)
    while at >= 0:
        before, after = text[max(0, at - 2) : at], text[at + len(form) : at + len(form) + 1]
        is_part_before = before[-1:].isalnum() or (before[-1:] in _INNER and before[:1].isalnum() and len(before) == 2)
        if not is_part_before and not after.isalnum():
            return True
        at = text.find(form, at + 1)
    return False


# Signs that join the parts of one value, as in an address before the at sign.
_INNER = frozenset(".-_+")
