"""Ghana: identity cards (Ghana card), tax numbers and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="GH_CARD",
        rules=(standing("card", r"GHA-\d{9}-\d", None, score=0.7),),
        labels=(
            "ghana card",
            "ghanacard",
            "nia number",
            *NATIONAL_WORDS,
        ),
        examples=("[[GHA-123456789-1]]",),
        counter_examples=("GHA-12345678-1",),
        sources=("https://nia.gov.gh/",),
    ),
    Detector(
        entity="GH_TIN",
        rules=(labelled("number", r"[PCGQV]00\d{7}[\dX]", Standard("gh.tin")),),
        labels=(
            "ghana tin",
            "gra tin",
        ),
        examples=("Ghana TIN: [[C0048115703]]",),
        counter_examples=("C0048115703",),
        sources=(
            "https://gra.gov.gh/",
            "python-stdnum, stdnum.gh.tin",
        ),
    ),
    passport("GH", "ghanaian", r"G\d{7}", "G1234567"),
)
