"""Identifiers that states give to people and firms, one file a country; here is what the files share.

How sure a bare value is follows from what its standard lets one check:

- separators or letters in the standard form and a check that few chance values pass: `standing`;
- digits alone with a date or two check digits: `labelled` with `is_sufficient_alone`, found as the whole text;
- digits alone with one check digit or none: `labelled`, found near a label only;
- digits and the letter of a size, as in `87077228K` and `8388608B`: as digits alone.
"""

from collections.abc import Iterable
from datetime import date
from importlib import import_module

from vestibule.detection.rule_builders import in_any_case
from vestibule.detection.rules import Check, Detector, Rule

NATIONAL_WORDS = (
    *("national id", "national identity", "identity number"),
    *(
        "national identification number",
        "national number",
        "identity card",
        "id card",
        "id card number",
        "identity card number",
    ),
    *("personal identification number", "personal id", "citizen id", "government id"),
)
TAX_WORDS = (
    *("tax id", "tax ids", "tax identification number", "tax identification", "tax number", "taxpayer id", "tax file"),
    *("taxpayer number", "taxpayer identification number", "fiscal code", "fiscal number", "vat number", "vat id"),
)
PASSPORT_WORDS = ("passport", "passports", "travel document", "pp no", "पासपोर्ट")
LICENCE_WORDS = (
    *("driver license", "drivers license", "driver's license", "driving license", "driver licence", "drivers licence"),
    *("driver's licence", "driving licence", "driving permit", "driver permit", "dl number"),
    "dln",
)
ICAO_9303 = "ICAO Doc 9303, Machine Readable Travel Documents"

_NOT_AFTER = r"\w./-"
_NOT_BEFORE = r"\w/-"


class Standard:
    """The check of one python-stdnum module, imported at its first use."""

    def __init__(self, module: str) -> None:
        self.__name__ = f"stdnum.{module}"

    def __call__(self, value: str) -> bool:
        """Tell whether the module finds the value valid."""
        return bool(import_module(self.__name__).is_valid(value))


def labelled(
    name: str,
    pattern: str,
    check: Check | None = None,
    *,
    is_sufficient_alone: bool = False,
    is_strict: bool = False,
    is_vague: bool = False,
    fewest_digits: int = 0,
    ignore_case: bool = False,
) -> Rule:
    """Build a rule for a value that needs a label nearby, right before it when `is_vague`.

    `is_sufficient_alone` finds it without a label where it is the whole text; `is_strict` requires a passed check.
    """
    unlabelled = 0.1 if is_vague else 0.25 if check else 0.2
    return Rule(
        name=name,
        pattern=pattern,
        score=unlabelled,
        check=check,
        broken_score=None if is_strict or check is None else 0.1,
        alone_score=0.55 if is_sufficient_alone else None,
        fewest_digits=fewest_digits,
        ignore_case=ignore_case,
        # ASCII only: Korean and its like write a particle right after the value.
        not_after=r"0-9A-Za-z_.",
        not_before=r"0-9A-Za-z_-",
    )


def standing(
    name: str,
    pattern: str,
    check: Check | None,
    *,
    score: float = 0.6,
    is_strict: bool = False,
    prefilter: str | None = None,
    fewest_digits: int = 0,
    ignore_case: bool = False,
) -> Rule:
    """Build a rule for a value that needs no label; right after one its check may fail, unless `is_strict`."""
    return Rule(
        name=name,
        pattern=pattern,
        score=score,
        check=check,
        broken_score=None if is_strict or check is None else 0.15,
        fewest_digits=fewest_digits,
        prefilter=prefilter,
        ignore_case=ignore_case,
        not_after=_NOT_AFTER,
        not_before=_NOT_BEFORE,
    )


def named(name: str, words: str, pattern: str) -> Rule:
    """Build a rule for a value right behind one of `words` (separated by |), which name other things as often.

    They are no labels: the labels of one detector count against the values of others.
    """
    name_end = (
        r"[\"']?(?:[ _-](?:[Nn]o|[Nn]r|[Nn]umber|[Nn]um|NO|ID|[Ii]d|[Pp]olicy)\b)?[\"']?[ \t]?[.:#=]{0,2}[ \t]{0,2}"
    )
    start = f"(?:{'|'.join(map(in_any_case, words.split('|')))}){name_end}"
    return Rule(
        name=name,
        pattern=rf"{start}[\"'(]?(?P<value>{pattern})",
        score=0.55,
        # The word is part of the match: no other label is nearer.
        proof=bool,
        not_before=r"0-9A-Za-z_-",
    )


def passport(
    country: str,
    nation: str,
    pattern: str,
    example: str,
    *,
    words: Iterable[str] = (),
    check: Check | None = None,
    sources: Iterable[str] = (),
) -> Detector:
    """Build the detector of a country's passport numbers, found near a label only."""
    own = f"{nation} passport"
    return Detector(
        entity=f"{country}_PASSPORT",
        rules=(labelled("labelled", pattern, check, ignore_case=True),),
        labels=(own, *words),
        examples=(f"{own}: [[{example}]]", f"her {own} number is [[{example}]]"),
        counter_examples=(example, f"order {example}", f"{own}: {example.replace(' ', '')}0000"),
        sources=(*sources, ICAO_9303),
    )


def driving_licence(
    country: str,
    nation: str,
    pattern: str,
    example: str,
    *,
    words: Iterable[str] = (),
    check: Check | None = None,
    sources: Iterable[str],
) -> Detector:
    """Build the detector of a country's driving licence numbers, found near a label only."""
    kinds = ("driving licence", "driver license", "driver's license", "drivers license", "driving license")
    own = tuple(f"{nation} {kind}" for kind in kinds)
    return Detector(
        entity=f"{country}_DRIVER_LICENSE",
        rules=(labelled("labelled", pattern, check, ignore_case=True),),
        labels=(*own, *words),
        examples=(f"{own[0]}: [[{example}]]", f"his {own[1]} number is [[{example}]]"),
        counter_examples=(example, f"order {example}", f"{own[0]}: {example.replace(' ', '')}0000000"),
        sources=tuple(sources),
    )


def is_date(year: int, month: int, day: int) -> bool:
    """Tell whether the calendar has the day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_short_date(year: str, month: str, day: str) -> bool:
    """Tell whether the day exists in a year of which only the last two digits are known."""
    return is_date(1900 + int(year), int(month), int(day)) or is_date(2000 + int(year), int(month), int(day))
