"""United Kingdom: national insurance and taxpayer references, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    LICENCE_WORDS,
    NATIONAL_WORDS,
    PASSPORT_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact

_NEVER_PREFIXES = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})


def is_nino(value: str) -> bool:
    """Check that the two letters are given out: no D F I Q U V, no O in second place, and seven pairs never."""
    code = compact(value)
    is_prefix = code[0] not in "DFIQUV" and code[1] not in "DFIOQUV" and code[:2] not in _NEVER_PREFIXES
    return is_prefix and code[-1] in "ABCD"


def is_full_length(value: str) -> bool:
    """Check that letters and filling make sixteen characters with the rest."""
    return len(value) == 16


DETECTORS = (
    Detector(
        entity="UK_NINO",
        rules=(
            standing(
                "number",
                r"[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-DFMPT]",
                is_nino,
                ignore_case=True,
                prefilter=r"[A-Za-z][A-Za-z] ?\d\d ?\d\d ?\d\d ?[A-DFMPTa-dfmpt]",
            ),
        ),
        labels=(
            "nino",
            "national insurance",
            "national insurance number",
            "ni number",
            "ni no",
            "nat ins",
            "nin",
            *NATIONAL_WORDS,
        ),
        examples=("[[AB123456C]]", "[[tw 98 76 54 a]]", "NINO: [[AB 12 34 56 D]]"),
        counter_examples=("ZZ123456C", "FQ 00 00 00 C", "AB123456E", "order AB123456C"),
        sources=("https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110",),
    ),
    Detector(
        entity="UK_UTR",
        rules=(labelled("bare", r"\d{10}|\d{5} \d{5}", Standard("gb.utr")),),
        labels=("utr", "unique taxpayer reference", "utr number"),
        examples=("UTR: [[1671487568]]", "unique taxpayer reference [[99852 05382]]"),
        counter_examples=("1671487568", "order 1671487568"),
        sources=("https://www.gov.uk/find-utr-number", "python-stdnum, stdnum.gb.utr"),
    ),
    passport("UK", "british", r"\d{9}|[A-Z]{2}\d{7}", "AB1234567", words=("uk passport", *PASSPORT_WORDS)),
    Detector(
        entity="UK_DRIVING_LICENCE",
        # Five letters of the name, filled with 9, then the date of birth; 5 is added to a woman's month.
        rules=(
            standing(
                "number",
                r"[A-Z]{1,5}9{0,4}\d(?:[05][1-9]|[16][0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z][A-Z9]\d[A-Z]{2}",
                is_full_length,
                score=0.7,
                is_strict=True,
                prefilter=r"\d[0156]\d[0-3]\d\d[A-Za-z][A-Za-z9]\d[A-Za-z][A-Za-z]",
                ignore_case=True,
            ),
        ),
        labels=("uk driving licence", "uk licence", "dvla", *LICENCE_WORDS),
        examples=("[[MORGA607054SM9IJ]]", "licence [[fo999512018aa1ab]] ok"),
        counter_examples=("MORGA637054SM9IJ", "MORGA607354SM9IJ", "MORG607054SM9IJ"),
        sources=("https://www.gov.uk/view-driving-licence",),
    ),
)
