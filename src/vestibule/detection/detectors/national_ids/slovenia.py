"""Slovenia: personal numbers (EMŠO), tax numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="SI_EMSO",
        # Date of birth, region and check digit.
        rules=(labelled("bare", r"[0-3]\d[01]\d[09]\d{2}5\d{5}", Standard("si.emso"), is_sufficient_alone=True),),
        labels=(
            "emšo",
            "emso",
            "enotna matična številka občana",
        ),
        examples=(
            "EMŠO: [[1506984500500]]",
            "[[1506984500534]]",
        ),
        counter_examples=(
            "1506984500501",
            "order 1506984500500",
        ),
        sources=(
            "https://www.gov.si/",
            "python-stdnum, stdnum.si.emso",
        ),
    ),
    Detector(
        entity="SI_TAX_ID",
        rules=(labelled("bare", r"(?:SI)?[1-9]\d{7}", Standard("si.ddv")),),
        labels=(
            "davčna številka",
            "davčna",
            "davcna stevilka",
        ),
        examples=("davčna številka: [[82446172]]",),
        counter_examples=("82446172",),
        sources=(
            "https://www.fu.gov.si/",
            "python-stdnum, stdnum.si.ddv",
        ),
    ),
    passport("SI", "slovenian", r"P[A-Z]\d{7}", "PB1234567", words=("potni list",)),
)
