"""Singapore: identity card numbers (NRIC, FIN), entity numbers (UEN) and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum

_OFFSETS = {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}
_LETTERS = {**dict.fromkeys("ST", "JZIHGFEDCBA"), **dict.fromkeys("FG", "XWUTRQPNMLK"), "M": "XWUTRQPNJLK"}


def is_nric(value: str) -> bool:
    """Check the last letter; the first one says the series."""
    series, digits, letter = value[0].upper(), value[1:8], value[8].upper()
    total = weighted_sum(digits, (2, 7, 6, 5, 4, 3, 2)) + _OFFSETS[series]
    return _LETTERS[series][total % 11] == letter


DETECTORS = (
    Detector(
        entity="SG_NRIC_FIN",
        rules=(
            standing("number", r"[STFGM]\d{7}[A-Z]", is_nric, ignore_case=True),
            labelled("unlike", r"[A-Z]\d{7}[A-Z]"),
        ),
        labels=(
            "nric",
            "nric no",
            "nric number",
            "fin number",
            "ic number",
            "singapore id",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[S4425899D]]",
            "NRIC: [[T5705618A]]",
            "FIN number [[G1109718P]]",
            "[[M8086345K]]",
        ),
        counter_examples=(
            "S4425899E",
            "order S4425899D",
        ),
        sources=("https://www.ica.gov.sg/",),
    ),
    Detector(
        entity="SG_UEN",
        rules=(
            standing("local", r"(?:19|20)\d{7}[AC-JL-Z]|[RST]\d{2}[A-Z]{2}\d{4}[A-Z]", Standard("sg.uen")),
            standing("business", r"\d{8}[AC-JL-Z]", Standard("sg.uen"), score=0.55, is_strict=True),
            labelled("like-a-size", r"\d{8,9}[BK]", Standard("sg.uen"), is_sufficient_alone=True, is_strict=True),
        ),
        labels=(
            "uen",
            "unique entity number",
            "acra",
        ),
        examples=(
            "[[201443046R]]",
            "[[T16LL3131D]]",
            "UEN: [[53125226D]]",
            "UEN [[28623474B]]",
        ),
        counter_examples=(
            "201443046S",
            "53125226E",
            "heap used 87077228K(93495202K)",
        ),
        sources=(
            "https://www.uen.gov.sg/",
            "python-stdnum, stdnum.sg.uen",
        ),
    ),
    passport("SG", "singapore", r"[EK]\d{7}[A-Z]", "E1234567A", words=("singaporean passport",)),
)
