"""United Arab Emirates: Emirates IDs and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, labelled, passport, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import passes_luhn

DETECTORS = (
    Detector(
        entity="AE_EMIRATES_ID",
        rules=(
            standing("dashed", r"784-(?:19|20)\d{2}-\d{7}-\d", passes_luhn, score=0.7),
            labelled("bare", r"784(?:19|20)\d{10}", passes_luhn, is_sufficient_alone=True),
        ),
        labels=(
            "emirates id",
            "eid",
            "الهوية الإماراتية",
            "رقم الهوية",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[784-1984-3474730-3]]",
            "Emirates ID: [[784198425209826]]",
        ),
        counter_examples=(
            "784-1984-3474730-4",
            "784198425209827",
        ),
        sources=("https://icp.gov.ae/",),
    ),
    passport("AE", "emirati", r"[A-Z][A-Z0-9]\d{7}", "AB1234567", words=("uae passport",)),
)
