"""Check digits and other checks of identifiers; all take the value as it is written."""

import re
from math import log2

_DOUBLED = bytes.maketrans(b"0123456789", bytes(2 * d if d < 5 else 2 * d - 9 for d in range(10)))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_NOT_DIGIT = re.compile(r"[^0-9]")
_NOT_ALNUM = re.compile(r"[^0-9A-Za-z]")


def digits_of(value: str) -> str:
    """Give the ASCII digits of `value` alone."""
    return _NOT_DIGIT.sub("", value)


def compact(value: str) -> str:
    """Give the ASCII letters, in upper case, and digits of `value` alone."""
    return _NOT_ALNUM.sub("", value).upper()


def passes_luhn(value: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    digits = digits_of(value).encode()
    return bool(digits) and (sum(digits[-2::-2].translate(_DOUBLED)) + sum(digits[-1::-2].translate(_PLAIN))) % 10 == 0


def passes_mod97(value: str) -> bool:
    """Source: ISO/IEC 7064, MOD 97-10: letters count 10 to 35, the whole leaves 1."""
    return int("".join(str(int(char, 36)) for char in compact(value))) % 97 == 1


def weighted_sum(digits: str, weights: tuple[int, ...]) -> int:
    """Sum digit times weight from the left, as far as the weights go."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_one_digit_repeated(digits: str) -> bool:
    """Tell 000000 and its like, which nobody is given."""
    return len(set(digits)) <= 1


def entropy_bits(value: str) -> float:
    """Shannon entropy, bits a character."""
    size = len(value)
    if not size:
        return 0.0
    # The characters of a value are few: counting each is cheaper than a table of them all.
    counts = [value.count(char) for char in set(value)]
    return log2(size) - sum([count * log2(count) for count in counts if count > 1]) / size
