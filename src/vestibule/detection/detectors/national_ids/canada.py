"""Canada: social insurance numbers, passports and driver licences."""

from vestibule.detection.detectors.national_ids import (
    driving_licence,
    labelled,
    passport,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, passes_luhn


def is_sin(value: str) -> bool:
    """Check the last digit; the first is never 0 or 8 for a person."""
    return digits_of(value)[0] not in "08" and passes_luhn(value)


DETECTORS = (
    Detector(
        entity="CA_SIN",
        rules=(
            labelled("grouped", r"\d{3} \d{3} \d{3}|\d{3}-\d{3}-\d{3}", is_sin, is_sufficient_alone=True),
            labelled("bare", r"\d{9}", is_sin),
        ),
        labels=(
            *("sin", "social insurance number", "social insurance no", "social insurance"),
            *("numéro d'assurance sociale", "assurance sociale"),
        ),
        examples=(
            "[[325 184 935]]",
            "[[651-058-182]]",
            "SIN: [[517791075]]",
            "social insurance number [[325 184 936]]",
        ),
        counter_examples=("325 184 936", "517791075", "order 325 184 935", "025 184 938"),
        sources=("https://www.canada.ca/en/employment-social-development/services/sin.html",),
    ),
    passport("CA", "canadian", r"[A-Z]{2}\d{6}|[A-Z]\d{6}[A-Z]{2}", "AB123456"),
    driving_licence(
        "CA",
        "canadian",
        r"[A-Z]\d{4}[- ]?\d{5}[- ]?\d{5}|[A-Z]\d{4}[- ]?\d{6}[- ]?\d{2}|\d{7,9}|\d{6}-\d{3}",
        "A1234-56789-01234",
        words=("permis de conduire",),
        sources=("https://www.ontario.ca/page/drivers-licence", "https://saaq.gouv.qc.ca/"),
    ),
)
