"""Hong Kong: identity cards and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, labelled, passport, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact


def is_hkid(value: str) -> bool:
    """Check the last character: letters count 10 to 35, a missing first letter 36, modulo 11."""
    code = compact(value).rjust(9, " ")
    values = [36 if char == " " else int(char, 36) for char in code[:8]]
    rest = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    check = 10 if code[8] == "A" else int(code[8]) if code[8].isdigit() else -1
    return (rest + check) % 11 == 0


DETECTORS = (
    Detector(
        entity="HK_IDENTITY_CARD",
        rules=(
            standing("bracketed", r"[A-Z]{1,2}\d{6}\([\dA]\)", is_hkid, score=0.7),
            labelled("bare", r"[A-Z]{1,2}\d{6}[\dA]", is_hkid),
        ),
        labels=("hkid", "hong kong identity card", "hong kong id", "身份證", "香港身份證", *NATIONAL_WORDS),
        examples=("[[G123456(A)]]", "HKID: [[L5555550]]"),
        counter_examples=("G123456(B)", "G123456(1)", "L5555550"),
        sources=("https://www.immd.gov.hk/",),
    ),
    passport("HK", "hong kong", r"[HK][A-Z]?\d{8}|K[A-Z]\d{7}", "K12345678", words=("香港護照", "hksar passport")),
)
