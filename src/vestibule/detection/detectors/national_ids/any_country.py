"""Identity, passport and licence numbers whose label says what they are but not of which country."""

from vestibule.detection.detectors.national_ids import (
    ICAO_9303,
    LICENCE_WORDS,
    NATIONAL_WORDS,
    PASSPORT_WORDS,
    TAX_WORDS,
    labelled,
    named,
)
from vestibule.detection.rules import Detector

_NUMBER = r"(?:[A-Z]{1,4}[- ]?)?\d{1,14}(?:[ ./-]\d{1,10}){0,4}-?[A-Z0-9]{0,2}"


def is_long_enough(value: str) -> bool:
    """Check that there are 5 to 18 digits."""
    return 5 <= sum(char.isdigit() for char in value) <= 18


def has_digits(value: str) -> bool:
    """Check that at least half of the characters are digits."""
    return 2 * sum(char.isdigit() for char in value) >= len(value)


def is_mixed(value: str) -> bool:
    """Check that there are letters, and digits as many at least."""
    return has_digits(value) and not value.isdigit()


DETECTORS = (
    Detector(
        entity="NATIONAL_ID",
        rules=(
            labelled("labelled", _NUMBER, is_long_enough, is_strict=True, is_vague=True, fewest_digits=5),
            labelled("mixed", r"[A-Z0-9]{8,12}", is_mixed, is_strict=True, is_vague=True, fewest_digits=5),
        ),
        labels=(
            *NATIONAL_WORDS,
            *TAX_WORDS,
            "nid",
            "identity no",
            "citizen number",
            "insurance id",
            "member id",
            "id number",
        ),
        examples=(
            "national id: [[NID-602631871]]",
            "tax id: [[ABCD-12345678901234]]",
            "ID card number: [[L8821X337]]",
        ),
        counter_examples=("NID-602631871", "order 12345678", "L8821X337", "national id: REQUIRED"),
        sources=("https://en.wikipedia.org/wiki/National_identification_number",),
    ),
    Detector(
        entity="PASSPORT",
        rules=(
            labelled("common", r"[A-Z]{1,3}\d{5,8}|\d{9}", is_vague=True, ignore_case=True),
            labelled("spaced", r"[A-Z]{1,2} \d{6,8}", is_vague=True),
            labelled(
                "mixed",
                r"[A-Z0-9]{8,9}",
                has_digits,
                is_strict=True,
                is_vague=True,
                fewest_digits=4,
                ignore_case=True,
            ),
        ),
        labels=PASSPORT_WORDS,
        examples=("passport no. [[QWE12345678]]", "passport: [[12AB34567]]", "Passport No: [[AB 1234567]]"),
        counter_examples=("QWE12345678", "12AB34567", "passport required", "AB 1234567", "passport in 2024567 cases"),
        sources=(ICAO_9303,),
    ),
    Detector(
        entity="DRIVER_LICENSE",
        rules=(labelled("labelled", r"[A-Z]{0,3}[- ]?\d{5,12}[A-Z]{0,2}", is_vague=True),),
        labels=LICENCE_WORDS,
        examples=(
            "driving licence: [[AB-123456]]",
            "drivers license number [[ABC1234567]]",
        ),
        counter_examples=("AB-123456", "license 2.0"),
        sources=("ISO/IEC 18013-1",),
    ),
    Detector(
        entity="NATIONAL_ID",
        rules=(
            named(
                "named",
                "insurance|insured|subscriber|beneficiary|member|membership|versicherung|assurance|"
                "policy number|policy no",
                # No year: articles and standards have those.
                r"[A-Z]{1,5}[- ]?\d{6,12}|[A-Z]{2,5}[- ]?\d{5}(?:-\d{2,6}){0,2}|"
                r"[A-Z]{1,5}-?[03-9]\d{3}(?:-\d{2,6}){1,2}",
            ),
        ),
        examples=(
            "Insurance: [[INS-48213377]]",
            "Policy number: [[POL-8831-2207]]",
            "Insurance No. [[INS-90218-44]]",
            "Subscriber ID [[W123456789]]",
        ),
        counter_examples=(
            "INS-48213377",
            "insurance 2024",
            "insurance 48213377",
            "Policy: POL-1700813",
            "member CVE-2024-12345",
        ),
        sources=("https://www.hl7.org/fhir/coverage.html",),
    ),
    Detector(
        entity="DRIVER_LICENSE",
        # Software has licences as well, whose names have fewer digits.
        rules=(
            named(
                "named",
                "license|licence|licencia|driver lic|drivers lic|driver's lic|lic|dl|cdl|permit",
                r"[A-Z]{1,3}-[A-Z]?\d{5,10}(?:-\d{2,4})?|[A-Z]{1,2}\d{6,12}|[A-Z]\d{3,4}-\d{3,4}-\d{3,5}(?:-\d)?",
            ),
        ),
        examples=(
            "License: [[DL-K48213-77]]",
            "Notary licence no. [[AB-482133]]",
            "DL# [[K4821377]]",
            "DL#: [[F1234-5678-9012]]",
        ),
        counter_examples=("DL-K48213-77", "License: AGPL-3.0", "license key AB-482133", "license 20240101"),
        sources=("ISO/IEC 18013-1",),
    ),
)
