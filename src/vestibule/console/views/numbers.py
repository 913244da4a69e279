"""Numbers that somebody enters in a form."""

from vestibule.contracts.errors import InvalidInput

# More than any form needs, and less than what Python refuses to read.
MOST_DIGITS = 12


def whole_number(text: str, name: str) -> int | None:
    """Return a number, None for an empty text. Raises: InvalidInput, if it is none."""
    given = text.strip()
    if not given:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) <= MOST_DIGITS):
        raise InvalidInput(f"The field “{name.replace('_', ' ')}” has to be a whole number.")
    return int(given)
