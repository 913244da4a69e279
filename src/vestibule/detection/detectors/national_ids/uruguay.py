"""Uruguay: identity cards, tax numbers and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum


def is_cedula(value: str) -> bool:
    """Check the last digit."""
    digits = digits_of(value).zfill(8)
    return weighted_sum(digits, (2, 9, 8, 7, 6, 3, 4, 1)) % 10 == 0


DETECTORS = (
    Detector(
        entity="UY_CEDULA",
        rules=(
            standing("dotted", r"\d\.\d{3}\.\d{3}-\d", is_cedula),
            labelled("bare", r"\d{7,8}|\d{6,7}-\d", is_cedula),
        ),
        labels=(
            "cédula",
            "cedula",
            "cédula de identidad",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[3.252.330-5]]",
            "cédula de identidad: [[38059144]]",
        ),
        counter_examples=(
            "3.252.330-6",
            "38059144",
        ),
        sources=("https://www.gub.uy/direccion-nacional-identificacion-civil",),
    ),
    Detector(
        entity="UY_RUT",
        rules=(labelled("bare", r"\d{12}", Standard("uy.rut")),),
        labels=(
            "rut",
            "rut uruguay",
        ),
        examples=("RUT Uruguay: [[218676490013]]",),
        counter_examples=("218676490013",),
        sources=(
            "https://www.dgi.gub.uy/",
            "python-stdnum, stdnum.uy.rut",
        ),
    ),
    passport("UY", "uruguayan", r"[A-Z]\d{6}", "C123456", words=("pasaporte uruguayo",)),
)
