"""Derives the start set of an expression: where it may begin to match."""

from collections.abc import Iterable

from vestibule.detection.regex_analysis import RegexProperties
from vestibule.detection.rules import Rule

# With more possible first letters than this, most words would be candidates.
_MOST_LETTERS = 12
# A first digit further away excludes little.
_FARTHEST_DIGIT = 16
# Non-ASCII letters that `re.IGNORECASE` treats as an ASCII letter. Source: Unicode, CaseFolding.txt.
_CASE_VARIANTS = {"i": "\u0130\u0131", "k": "\u212a", "s": "\u017f"}


def start_set_of(rule: Rule, properties: RegexProperties) -> str | None:
    """Return an expression that matches wherever `rule` may begin; None if that is nearly everywhere."""
    if rule.opening is not None:
        not_after = f"(?<![{rule.not_after}])" if rule.not_after else ""
        return f"{not_after}(?={rule.opening})"
    if properties.firsts is None:
        return None
    firsts = _in_both_cases(properties.firsts) if rule.ignore_case else set(properties.firsts)
    letters = {first.lower() for first in firsts if first.isalpha()}
    is_near = properties.digit_by is not None and properties.digit_by <= _FARTHEST_DIGIT
    if len(letters) > _MOST_LETTERS and not (is_near and rule.not_after):
        return None
    # Searching for a character class is fastest: the lookbehind comes after it.
    before = f"(?<![{rule.not_after}].)" if rule.not_after else ""
    digit = rf"(?:(?<=\d)|(?=\D{{0,{max(properties.digit_by - 1, 0)}}}\d))" if properties.digit_by and is_near else ""
    return f"[{''.join(sorted(firsts))}]{before}{digit}"


def _in_both_cases(firsts: Iterable[str]) -> set[str]:
    found = set()
    for first in firsts:
        if len(first) > 1:
            found.add(first)
        else:
            found |= {first, first.lower(), first.upper(), *_CASE_VARIANTS.get(first.lower(), "")}
    return found
