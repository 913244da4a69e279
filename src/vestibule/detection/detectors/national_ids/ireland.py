"""Ireland: personal public service numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="IE_PPSN",
        rules=(standing("number", r"\d{7}[A-W][ABHWTX]?", Standard("ie.pps"), score=0.55),),
        labels=(
            "pps",
            "ppsn",
            "pps number",
            "pps no",
            "personal public service number",
            "rsi number",
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[1996980H]]", "PPS number: [[7580249BA]]", "PPSN [[1996980J]]"),
        counter_examples=("1996980J", "order 1996980H"),
        sources=(
            "https://www.gov.ie/en/service/12e6de-get-a-personal-public-service-pps-number/",
            "python-stdnum, stdnum.ie.pps",
        ),
    ),
    passport("IE", "irish", r"[A-Z]{2}\d{7}|[A-Z]\d{7}", "PA1234567"),
)
