"""Philippines: tax numbers, social security numbers, national IDs (PhilSys) and passports."""

from vestibule.detection.detectors.national_ids import labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="PH_TIN",
        # How the check digit is made is not published.
        rules=(labelled("number", r"\d{3}-?\d{3}-?\d{3}(?:-?\d{3,5})?"),),
        labels=(
            "tin",
            "philippine tin",
            "bir tin",
        ),
        examples=(
            "TIN: [[000-123-456]]",
            "BIR TIN [[000123456000]]",
        ),
        counter_examples=("000-123-456", "order 000-123-456"),
        sources=("https://www.bir.gov.ph/",),
    ),
    Detector(
        entity="PH_SSS",
        rules=(labelled("number", r"\d{2}-\d{7}-\d"),),
        labels=(
            "sss",
            "sss number",
            "sss no",
            "umid",
        ),
        examples=("SSS number: [[34-1234567-8]]",),
        counter_examples=("34-1234567-8",),
        sources=("https://www.sss.gov.ph/",),
    ),
    Detector(
        entity="PH_PHILSYS",
        rules=(labelled("number", r"\d{4}-?\d{4}-?\d{4}(?:-?\d{4})?"),),
        labels=(
            "philsys",
            "phil sys",
            "philid",
            "pcn",
            "philsys number",
        ),
        examples=("PhilSys number: [[1234-5678-9012-3456]]",),
        counter_examples=("1234-5678-9012-3456",),
        sources=("https://philsys.gov.ph/",),
    ),
    passport("PH", "philippine", r"[A-Z]\d{7}[A-Z]|[A-Z]{2}\d{7}", "P1234567A"),
)
