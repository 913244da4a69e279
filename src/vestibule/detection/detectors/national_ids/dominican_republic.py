"""Dominican Republic: identity cards (cédula) and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="DO_CEDULA",
        rules=(
            standing("dashed", r"\d{3}-\d{7}-\d", Standard("do.cedula")),
            labelled("bare", r"\d{11}", Standard("do.cedula")),
        ),
        labels=(
            "cédula",
            "cedula",
            "cédula de identidad y electoral",
            "cédula dominicana",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[020-1040724-1]]",
            "cédula: [[04308802513]]",
        ),
        counter_examples=(
            "020-1040724-2",
            "04308802513",
        ),
        sources=(
            "https://jce.gob.do/",
            "python-stdnum, stdnum.do.cedula",
        ),
    ),
    passport("DO", "dominican", r"[A-Z]{2}\d{7}", "RD1234567", words=("pasaporte dominicano",)),
)
