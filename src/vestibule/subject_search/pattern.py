"""Where a value stands in a text as a whole, and not as a part of a longer word, number or address."""

import re
import unicodedata
from itertools import pairwise

# A number with this many digits is the same with other separators: a card, a phone number, a bank account.
SPREAD_DIGITS = 7
_RUN = re.compile(r"[^\W_]+")
# As `re.escape` writes them.
_BACKSLASHES = re.compile(r"(?:\\\\)+")
_NO_LETTERS = re.compile(r"[\W_]+")
_LETTERS_OF_ASCII = {code: None for code in range(128) if not chr(code).isalnum()}
# The separators that `canonical` leaves out.
_SEPARATORS = r"[\s\-./()]"
_AROUND = " \t\n-./()"
_SEPARATED = re.compile(f"{_SEPARATORS}+")
# How reports and people write an address, so that no program takes it for one.
_AT = re.compile(r"\s*[\[({<]\s*(?:at|@)\s*[\])}>]\s*|\s+at\s+|_at_|\s*@\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*[\[({<]\s*(?:dot|punkt|punto|point|\.)\s*[\])}>]\s*|\s+dot\s+|_dot_", re.IGNORECASE)
_WRITTEN = (("[at]", "[dot]"), ("(at)", "(dot)"), ("{at}", "{dot}"), ("<at>", "<dot>"), (" at ", " dot "))
_JOINED = (("_at_", "_dot_"), ("[@]", "[.]"), ("(@)", "(.)"), ("@", "[.]"), ("@", "(.)"))
_CARD_GROUPS = {16: (4, 4, 4, 4), 15: (4, 6, 5)}
# A letter or digit beyond one of these belongs to the same word, number or address.
_BEFORE = r"(?<![^\W_])(?<![^\W_][-._+@])"
_AFTER = r"(?![^\W_])(?![-._+@][^\W_])"


def fold(text: str) -> str:
    """Return a text without differences of case and of Unicode form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def letters_of(folded: str) -> str:
    """Return the letters and digits of a text, to see quickly that a value is not in it."""
    return folded.translate(_LETTERS_OF_ASCII) if folded.isascii() else _NO_LETTERS.sub("", folded)


def length_of(folded: str) -> int:
    """Return how much of a value is compared: separators around it are left out, and a run of them is one."""
    return len(_SEPARATED.sub(" ", folded).strip())


def is_number(text: str) -> bool:
    """Return whether a value is a long number: most of its letters and digits are digits."""
    letters = letters_of(text)
    digits = sum(map(str.isdigit, letters))
    return digits >= SPREAD_DIGITS and 2 * digits >= len(letters) and "@" not in text


def phone_of(folded: str) -> str:
    """Return the digits of a phone number without the two ways to write an international prefix, and `(0)`."""
    return letters_of(folded.replace("(0)", "")).removeprefix("00")


def address_of(found: str) -> str:
    """Return an e-mail address as it is sent to, from one that is written out, as in `jane [at] example (dot) org`."""
    return _DOT.sub(".", _AT.sub("@", found))


def writings_of(value: str) -> list[str]:
    """Return writings whose fingerprints differ from that of the value: written-out addresses, groups joined by `_`."""
    if "@" in value:
        local, _, domain = value.rpartition("@")
        ends = [(at, dot) for at, dots in (*_WRITTEN, *_JOINED) for dot in dict.fromkeys((".", dots))]
        return [f"{local}{at}{domain.replace('.', dot)}" for at, dot in ends if (at, dot) != ("@", ".")]
    if not is_number(value):
        return []
    groups = _RUN.findall(value)
    digits = "".join(groups)
    if len(groups) == 1 and (sizes := _CARD_GROUPS.get(len(digits))):
        starts = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
        groups = [digits[start:end] for start, end in pairwise(starts)]
    return ["_".join(groups)] if len(groups) > 1 else []


def _quoted(text: str) -> str:
    """Return the expression for a text, whose backslashes JSON doubles."""
    return _BACKSLASHES.sub(lambda _: r"\\+", re.escape(text))


def pattern_of(folded: str) -> re.Pattern[str]:
    """Return the expression that finds a folded value as a whole in folded texts."""
    runs = list(_RUN.finditer(folded))
    if "@" in folded or not runs:
        return re.compile(_BEFORE + _quoted(folded) + _AFTER)
    head, tail = (text.strip(_AROUND) for text in (folded[: runs[0].start()], folded[runs[-1].end() :]))
    if is_number(folded):
        body = f"{_SEPARATORS}{{0,3}}".join(map(re.escape, letters_of(folded)))
    else:
        body = re.escape(runs[0][0])
        for before, run in pairwise(runs):
            between = folded[before.end() : run.start()]
            is_separator = _SEPARATED.fullmatch(between)
            body += (f"{_SEPARATORS}{{0,8}}" if is_separator else _quoted(between)) + re.escape(run[0])
    return re.compile(_BEFORE + _quoted(head) + body + _quoted(tail) + _AFTER)
