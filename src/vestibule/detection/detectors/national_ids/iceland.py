"""Iceland: kennitala and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_KENNITALA = Standard("is_.kennitala")

DETECTORS = (
    Detector(
        entity="IS_KENNITALA",
        rules=(
            standing("dashed", r"[0-7]\d[01]\d{3}-\d{3}[890]", _KENNITALA),
            labelled("bare", r"[0-7]\d[01]\d{6}[890]", _KENNITALA),
        ),
        labels=("kennitala", "kennitölu", "icelandic id", *NATIONAL_WORDS),
        examples=("[[150684-4049]]", "kennitala: [[1506840649]]"),
        counter_examples=("150684-4059", "1506840649"),
        sources=("https://www.skra.is/", "python-stdnum, stdnum.is_.kennitala"),
    ),
    passport("IS", "icelandic", r"[A-Z]\d{7}", "A1234567", words=("vegabréf",)),
)
