"""Fakes: made-up values of the same form as a value, which are found as it is.

Source: RFC 2606 (example.org), RFC 5737 and RFC 3849 (addresses for documentation), ISO 7064 and ISO 13616 (IBAN),
ISO/IEC 7812 (the last digit of a card).
"""

import random
import string
from collections.abc import Callable

# How often one value, and all values of one text, are tried: most take one or two, some cannot be had.
MOST_TRIES, MOST_TRIES_IN_ALL = 300, 900
# Longer values are no numbers; their form says nothing.
MAX_CHARS = 100
_FIRST_IBAN_DIGITS = slice(2, 4)
_KEPT_OF_CARD = 2
_DOCUMENTATION_NETS = ("192.0.2.", "198.51.100.", "203.0.113.")
# Their digits have a meaning, and random ones none.
_NO_NUMBERS = frozenset({"DATE_OF_BIRTH", "STREET_ADDRESS"})
IsFound = Callable[[str, str], bool]


class Faker:
    """Makes the fakes of one text."""

    def __init__(self, is_found: IsFound, source: random.Random | None = None) -> None:
        """Take what says whether a value is found as an entity with nothing around it, and a source of chance."""
        self._is_found = is_found
        self._source = source or random.SystemRandom()
        self._tries_left = MOST_TRIES_IN_ALL

    def fake(self, value: str, entity: str, is_taken: Callable[[str], bool]) -> str | None:
        """Return a fake of a value that is not taken; None if there is none.

        It is found as the value is; where that is found only by what is around it, the same form is enough.
        """
        if len(value) > MAX_CHARS or not any(one.isdigit() or one == "@" for one in value):
            return None
        if entity in _NO_NUMBERS:
            return None
        needs_check = self._is_found(value, entity)
        if not needs_check and any(one.islower() for one in value):
            # Words, or a secret: random letters are no fake of them.
            return None
        for _ in range(min(MOST_TRIES, self._tries_left)):
            self._tries_left -= 1
            made = self._make(value, entity)
            if made != value and not is_taken(made) and (not needs_check or self._is_found(made, entity)):
                return made
        return None

    def _make(self, value: str, entity: str) -> str:
        match entity:
            case "EMAIL_ADDRESS":
                return f"{self._letters(10)}@example.org"
            case "IP_ADDRESS":
                return self._ip_address(is_v6=":" in value)
            case "CREDIT_CARD":
                return self._card(value)
            case "IBAN_CODE":
                return self._iban(value)
            case "PHONE_NUMBER":
                # The country and the area stay: numbers of others are not dialled.
                return value[: len(value) // 2] + self._same_form(value[len(value) // 2 :])
            case _:
                return self._same_form(value)

    def _letters(self, count: int) -> str:
        return "".join(self._source.choice(string.ascii_lowercase) for _ in range(count))

    def _ip_address(self, *, is_v6: bool) -> str:
        if is_v6:
            return f"2001:db8::{self._source.randrange(1, 1 << 16):x}:{self._source.randrange(1, 1 << 16):x}"
        return f"{self._source.choice(_DOCUMENTATION_NETS)}{self._source.randrange(1, 255)}"

    def _card(self, value: str) -> str:
        places = [at for at, one in enumerate(value) if one.isdigit()]
        digits = [int(value[at]) for at in places[:_KEPT_OF_CARD]]
        digits += [self._source.randrange(10) for _ in places[_KEPT_OF_CARD:-1]]
        # The digits before the last are doubled from the end on: every second one.
        doubled = (one if number % 2 else sum(divmod(2 * one, 10)) for number, one in enumerate(reversed(digits)))
        digits.append(-sum(doubled) % 10)
        return _written_over(value, places, "".join(map(str, digits)))

    def _iban(self, value: str) -> str:
        places = [at for at, one in enumerate(value) if one.isalnum()]
        given = "".join(value[at] for at in places)
        account = self._same_form(given[_FIRST_IBAN_DIGITS.stop :])
        number = "".join(str(int(one, 36)) for one in f"{account}{given[:2]}00")
        return _written_over(value, places, f"{given[:2]}{98 - int(number) % 97:02}{account}")

    def _same_form(self, value: str) -> str:
        return "".join(map(self._same_kind, value))

    def _same_kind(self, character: str) -> str:
        if character.isascii() and character.isdigit():
            return self._source.choice(string.digits)
        for kind in (string.ascii_uppercase, string.ascii_lowercase):
            if character in kind:
                return self._source.choice(kind)
        return character


def _written_over(value: str, places: list[int], characters: str) -> str:
    written = list(value)
    for at, one in zip(places, characters, strict=True):
        written[at] = one
    return "".join(written)
