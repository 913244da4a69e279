"""Ireland: personal public service numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="IE_PPSN",
        rules=(
            standing("number", r"\d{7}(?:[AC-JL-W]|[A-W][ABHWTX])", Standard("ie.pps"), score=0.55),
            labelled("like-a-size", r"\d{7}[BK]", Standard("ie.pps"), is_sufficient_alone=True),
        ),
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
        examples=("[[1996980H]]", "PPS number: [[7580249BA]]", "PPSN [[1996980J]]", "PPSN [[6206720K]]"),
        counter_examples=("1996980J", "order 1996980H", "6690249K->9537040K(9600000K)"),
        sources=(
            "https://www.gov.ie/en/service/12e6de-get-a-personal-public-service-pps-number/",
            "python-stdnum, stdnum.ie.pps",
        ),
    ),
    passport("IE", "irish", r"[A-Z]{2}\d{7}|[A-Z]\d{7}", "PA1234567"),
)
