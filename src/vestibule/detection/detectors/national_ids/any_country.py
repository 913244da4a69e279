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


DETECTORS = (
    Detector(
        entity="NATIONAL_ID",
        rules=(labelled("labelled", _NUMBER, is_long_enough, is_strict=True, is_vague=True, fewest_digits=5),),
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
        ),
        counter_examples=("NID-602631871", "order 12345678"),
        sources=("https://en.wikipedia.org/wiki/National_identification_number",),
    ),
    Detector(
        entity="PASSPORT",
        rules=(
            labelled("common", r"[A-Z]{1,3}\d{5,8}|\d{9}", is_vague=True, ignore_case=True),
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
        examples=("passport no. [[QWE12345678]]", "passport: [[12AB34567]]"),
        counter_examples=("QWE12345678", "12AB34567", "passport required"),
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
                "insurance|insured|subscriber|beneficiary|member|membership|versicherung|assurance",
                r"[A-Z]{1,5}[- ]?\d{6,12}|[A-Z]{2,5}[- ]?\d{5}",
            ),
        ),
        examples=("Insurance: [[INS-48213377]]", "Subscriber ID [[W123456789]]"),
        counter_examples=("INS-48213377", "insurance 2024", "insurance 48213377", "Policy: POL-1700813"),
        sources=("https://www.hl7.org/fhir/coverage.html",),
    ),
    Detector(
        entity="DRIVER_LICENSE",
        # Software has licences as well, whose names have fewer digits.
        rules=(
            named(
                "named",
                "license|licence|licencia|driver lic|drivers lic|driver's lic|lic|dl|cdl|permit",
                r"[A-Z]{1,3}-[A-Z]?\d{5,10}(?:-\d{2,4})?|[A-Z]{1,2}\d{6,12}",
            ),
        ),
        examples=("License: [[DL-K48213-77]]", "Notary licence no. [[AB-482133]]", "DL# [[K4821377]]"),
        counter_examples=("DL-K48213-77", "License: AGPL-3.0", "license key AB-482133", "license 20240101"),
        sources=("ISO/IEC 18013-1",),
    ),
)
