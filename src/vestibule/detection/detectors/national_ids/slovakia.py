"""Slovakia: birth numbers and passports; the numbers are Czechia's until 1993."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="SK_BIRTH_NUMBER",
        rules=(labelled("bare", r"\d{2}[0-35-8]\d[0-3]\d/?\d{3,4}", Standard("sk.rc")),),
        labels=(
            "rodné číslo slovensko",
            "slovak birth number",
            "slovenské rodné číslo",
        ),
        examples=("slovak birth number: [[8456154355]]",),
        counter_examples=("8456154355",),
        sources=(
            "Zákon č. 301/1995 Z. z.",
            "python-stdnum, stdnum.sk.rc",
        ),
    ),
    passport("SK", "slovak", r"[A-Z]{2}\d{7}", "BA1234567", words=("cestovný pas",)),
)
