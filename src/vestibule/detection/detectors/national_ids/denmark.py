"""Denmark: civil registration numbers (CPR), company numbers (CVR) and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum

_CPR = Standard("dk.cpr")


def is_checked_cpr(value: str) -> bool:
    """Check the date and the check digit, which numbers given since 2007 may lack."""
    return weighted_sum(digits_of(value), (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0 and _CPR(value)


DETECTORS = (
    Detector(
        entity="DK_CPR",
        rules=(
            standing("dashed", r"[0-3]\d[01]\d{3}-\d{4}", is_checked_cpr, is_strict=True),
            labelled("bare", r"[0-3]\d[01]\d{3}-?\d{4}", _CPR),
        ),
        labels=("cpr", "cpr nummer", "cpr nr", "personnummer", "cpr nummer", "cpr number", *NATIONAL_WORDS),
        examples=("[[150684-6281]]", "CPR: [[150684-7240]]", "personnummer [[1506846913]]"),
        counter_examples=("150684-6282", "1506846913", "ordre 150684-7240"),
        sources=("https://cpr.dk/", "python-stdnum, stdnum.dk.cpr"),
    ),
    Detector(
        entity="DK_CVR",
        rules=(labelled("bare", r"(?:DK)?[1-9]\d{7}", Standard("dk.cvr")),),
        labels=("cvr", "cvr nr", "cvr nummer", "cvr nummer"),
        examples=("CVR-nr: [[37455776]]",),
        counter_examples=("37455776",),
        sources=("https://datacvr.virk.dk/", "python-stdnum, stdnum.dk.cvr"),
    ),
    passport("DK", "danish", r"\d{9}", "207123456", words=("dansk pas", "pasnummer")),
)
