"""Lithuania: personal codes and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="LT_PERSONAL_CODE",
        # Sex and century, date of birth, check digit.
        rules=(labelled("bare", r"[3-6]\d{2}[01]\d[0-3]\d{5}", Standard("lt.asmens"), is_sufficient_alone=True),),
        labels=(
            "asmens kodas",
            "asmens kodą",
            "lithuanian personal code",
        ),
        examples=("asmens kodas: [[38507283585]]",),
        counter_examples=(
            "38507283586",
            "order 38507283585",
        ),
        sources=(
            "https://www.registrucentras.lt/",
            "python-stdnum, stdnum.lt.asmens",
        ),
    ),
    passport("LT", "lithuanian", r"\d{8}|[A-Z]{2}\d{6}", "12345678", words=("paso numeris",)),
)
