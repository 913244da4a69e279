"""Czechia: birth numbers, identity cards and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_BIRTH_NUMBER = Standard("cz.rc")

DETECTORS = (
    Detector(
        entity="CZ_BIRTH_NUMBER",
        # Date of birth, and the whole divisible by 11.
        rules=(
            standing("slashed", r"\d{2}[0-35-8]\d[0-3]\d/\d{3,4}", _BIRTH_NUMBER),
            labelled("bare", r"\d{2}[0-35-8]\d[0-3]\d{4,5}", _BIRTH_NUMBER),
        ),
        labels=(
            "rodné číslo",
            "rodného čísla",
            "rodne cislo",
            "r. č.",
            "czech birth number",
            "birth number",
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[855930/6910]]", "rodné číslo: [[8507301396]]"),
        counter_examples=("855930/6911", "8507301396", "objednávka 8507301396"),
        sources=("Zákon č. 133/2000 Sb.", "python-stdnum, stdnum.cz.rc"),
    ),
    Detector(
        entity="CZ_ID_CARD",
        rules=(labelled("labelled", r"\d{9}"),),
        labels=("občanský průkaz", "číslo občanského průkazu", "obcansky prukaz", "občanského průkazu"),
        examples=("občanský průkaz č. [[203456789]]",),
        counter_examples=("203456789", "order 203456789"),
        sources=("https://www.mvcr.cz/",),
    ),
    passport("CZ", "czech", r"\d{8}", "39012345", words=("cestovní pas", "číslo pasu")),
)
