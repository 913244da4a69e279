"""Pakistan: identity cards (CNIC) and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="PK_CNIC",
        rules=(
            standing("dashed", r"[1-7]\d{4}-\d{7}-\d", Standard("pk.cnic")),
            labelled("bare", r"[1-7]\d{12}", Standard("pk.cnic")),
        ),
        labels=(
            "cnic",
            "nicop",
            "cnic number",
            "شناختی کارڈ",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[42701-7337314-2]]",
            "CNIC: [[4240198024268]]",
        ),
        counter_examples=(
            "92701-7337314-2",
            "4240198024268",
        ),
        sources=(
            "https://www.nadra.gov.pk/",
            "python-stdnum, stdnum.pk.cnic",
        ),
    ),
    passport("PK", "pakistani", r"[A-Z]{2}\d{7}", "AB1234567"),
)
