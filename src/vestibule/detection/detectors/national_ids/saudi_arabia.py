"""Saudi Arabia: identity and residence numbers, passports."""

from vestibule.detection.detectors.national_ids import labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import passes_luhn

DETECTORS = (
    Detector(
        entity="SA_NATIONAL_ID",
        rules=(labelled("bare", r"[12]\d{9}", passes_luhn),),
        labels=(
            "iqama",
            "iqama number",
            "saudi id",
            "رقم الهوية",
            "الهوية الوطنية",
            "رقم الإقامة",
        ),
        examples=(
            "Iqama: [[1224292076]]",
            "رقم الهوية: [[1929985727]]",
        ),
        counter_examples=(
            "1224292076",
            "order 1224292076",
        ),
        sources=("https://www.absher.sa/",),
    ),
    passport(
        "SA",
        "saudi",
        r"[A-Z]\d{8}",
        "A12345678",
        words=(
            "جواز السفر",
            "رقم الجواز",
        ),
    ),
)
