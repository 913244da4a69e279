"""Venezuela: tax numbers (RIF), identity cards and passports."""

from vestibule.detection.detectors.national_ids import TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="VE_RIF",
        rules=(
            standing("dashed", r"[VEJPG]-\d{8}-\d", Standard("ve.rif")),
            labelled("bare", r"[VEJPG]-?\d{8}-?\d", Standard("ve.rif")),
        ),
        labels=(
            "rif",
            "registro de información fiscal",
            *TAX_WORDS,
        ),
        examples=(
            "[[V-17834693-4]]",
            "RIF: [[J570661182]]",
        ),
        counter_examples=(
            "V-17834693-5",
            "J570661182",
        ),
        sources=(
            "https://www.seniat.gob.ve/",
            "python-stdnum, stdnum.ve.rif",
        ),
    ),
    Detector(
        entity="VE_CEDULA",
        rules=(labelled("labelled", r"[VE]-?(?:\d{6,8}|\d{1,2}\.\d{3}\.\d{3})"),),
        labels=(
            "cédula",
            "cedula",
            "cédula de identidad",
            "cédula venezolana",
        ),
        examples=("cédula: [[V-12.345.678]]",),
        counter_examples=("V-12345678",),
        sources=("https://www.saime.gob.ve/",),
    ),
    passport("VE", "venezuelan", r"\d{9}", "123456789", words=("pasaporte venezolano",)),
)
