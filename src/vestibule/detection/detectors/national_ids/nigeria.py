"""Nigeria: national identification numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="NG_NIN",
        rules=(labelled("bare", r"\d{11}", Standard("verhoeff")),),
        labels=(
            "nin",
            "nin number",
            "national identification number",
            "nimc",
            "nigerian id",
        ),
        examples=(
            "NIN: [[47975623106]]",
            "my NIN is [[49469815676]]",
        ),
        counter_examples=(
            "47975623106",
            "12345678901",
        ),
        sources=(
            "https://nimc.gov.ng/",
            "ISO/IEC 7064; python-stdnum, stdnum.verhoeff",
        ),
    ),
    passport("NG", "nigerian", r"[AB]\d{8}", "A12345678"),
)
