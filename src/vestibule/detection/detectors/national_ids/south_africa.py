"""South Africa: identity numbers and passports."""

from vestibule.detection.detectors.national_ids import is_short_date, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import passes_luhn


def is_id_number(value: str) -> bool:
    """Check the date of birth, that the holder is citizen, resident or refugee, and the last digit."""
    return is_short_date(value[:2], value[2:4], value[4:6]) and passes_luhn(value)


DETECTORS = (
    Detector(
        entity="ZA_ID_NUMBER",
        # Date of birth, citizenship and check digit.
        rules=(labelled("bare", r"\d{2}[01]\d[0-3]\d{5}[0-2]\d{2}", is_id_number, is_sufficient_alone=True),),
        labels=(
            "rsa id",
            "sa id",
            "sa id number",
            "south african id",
            "refugee id",
            "id number",
            "identity document",
        ),
        examples=(
            "[[8406158509084]]",
            "RSA ID: [[8406158757089]]",
        ),
        counter_examples=(
            "8406158509085",
            "order 8406158509084",
        ),
        sources=(
            "https://www.dha.gov.za/",
            "Identification Act 68 of 1997",
        ),
    ),
    passport("ZA", "south african", r"[ADMT]\d{8}|\d{9}", "A12345678", words=("rsa passport",)),
)
