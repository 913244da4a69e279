"""United States: taxpayer numbers other than the SSN, passports and driver licences."""

from vestibule.detection.detectors.national_ids import (
    LICENCE_WORDS,
    PASSPORT_WORDS,
    TAX_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of

_EMPLOYER = Standard("us.ein")
# Source: AAMVA DL/ID card design, forms by state.
_LICENCE = (
    r"[A-Z]\d{6,8}|[A-Z]\d{12,14}|[A-Z]\d{3}-?\d{3}-?\d{2}-?\d{3}-?\d|[A-Z]{2}\d{5,7}[A-Z]?|[A-Z]\d{3,5}-\d{4,5}-\d{4,5}|\d{7,10}|"
    r"\d{3}-\d{3}-\d{3}|\d{2}-\d{3}-\d{4}|[A-Z]{3}\d{6}|\d{2}[A-Z]{3}\d{5}"
)


def is_itin(value: str) -> bool:
    """Check the group, 50 to 65, 70 to 88, 90 to 92 or 94 to 99. Source: IRS, Publication 1915."""
    group = int(digits_of(value)[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or group >= 94


DETECTORS = (
    Detector(
        entity="US_ITIN",
        rules=(
            standing("dashed", r"9\d{2}(?:-\d{2}-|-\d{2}| \d{2} )\d{4}", is_itin, score=0.65, is_strict=True),
            # Groups of five and four digits are a telephone number in Brazil and a postal code in California.
            labelled("bare", r"9\d{4}-?\d{4}", is_itin, is_strict=True),
        ),
        labels=("itin", "individual taxpayer identification number", "individual taxpayer", *TAX_WORDS),
        examples=("[[911-70-1234]]", "ITIN: [[994764627]]"),
        counter_examples=("911-89-1234", "911701234", "91170-1234", "order 911-70-1234"),
        sources=("https://www.irs.gov/pub/irs-pdf/p1915.pdf",),
    ),
    Detector(
        entity="US_EIN",
        rules=(labelled("dashed", r"\d{2}-\d{7}", _EMPLOYER), labelled("bare", r"\d{9}", _EMPLOYER, is_strict=True)),
        labels=("ein", "employer identification number", "employer id", "fein", "federal tax id", "tin"),
        examples=("EIN: [[16-3224121]]", "employer identification number [[949384137]]"),
        counter_examples=("16-3224121", "order 949384137"),
        sources=(
            "https://www.irs.gov/businesses/small-businesses-self-employed/how-eins-are-assigned-and-valid-ein-prefixes",
        ),
    ),
    passport("US", "american", r"\d{9}|[A-Z]\d{8}", "Z12803456", words=("us passport", *PASSPORT_WORDS)),
    Detector(
        entity="US_DRIVER_LICENSE",
        rules=(labelled("labelled", _LICENCE, ignore_case=True),),
        labels=("license no", "licence no", "lic no", "us driver license", *LICENCE_WORDS),
        examples=("driver's license: [[H12234567]]", "DLN [[123456789]]"),
        counter_examples=("H12234567", "123456789", "C12T345672"),
        sources=("AAMVA DL/ID Card Design Standard",),
    ),
)
