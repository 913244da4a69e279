"""Social security numbers of the United States."""

from vestibule.detection.rules import Detector, DetectorExample, Rule
from vestibule.detection.validation.checks import digits_of, is_one_digit_repeated

_NEVER_ISSUED = frozenset({"078051120", "219099999"})


def is_ssn(value: str) -> bool:
    """Check area, group and serial: none is all zeros, the area is not 666 nor 900 and above."""
    digits = digits_of(value)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    is_given = area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"
    return is_given and digits not in _NEVER_ISSUED and not is_one_digit_repeated(digits)


DETECTOR = Detector(
    entity="US_SSN",
    rules=(
        Rule(
            name="dashed",
            pattern=r"\d{3}-\d{2}-\d{4}",
            score=0.65,
            check=is_ssn,
            broken_score=0.2,
            proof=is_ssn,
            not_after=r"\w./-",
            not_before=r"\w/-",
        ),
        Rule(
            name="grouped",
            pattern=r"\d{3}(?: \d{2} |\.\d{2}\.)\d{4}",
            score=0.3,
            alone_score=0.55,
            check=is_ssn,
            not_after=r"\w./-",
            not_before=r"\w/-",
        ),
        Rule(
            name="bare",
            broken_score=0.05,
            pattern=r"\d{9}",
            score=0.15,
            check=is_ssn,
            not_after=r"\w./+-",
            not_before=r"\w/-",
        ),
    ),
    against=("invalid", "fake", "dummy"),
    labels=(
        *(
            "ssn",
            "ssns",
            "social security",
            "social security number",
            "social security no",
            "social",
            "ss number",
            "ss no",
            "soc sec",
        ),
        *("us ssn", "taxpayer id", "seguro social", "numéro de sécurité sociale", "sozialversicherungsnummer"),
    ),
    examples=(
        "[[536-90-4399]]",
        "my ssn is [[536 90 4399]]",
        "SSN: [[536904399]]",
        "social security number [[000-12-3456]]",
        DetectorExample("[[536904399]]", key="customerSsn"),
        "case [[536-90-4399]]",
    ),
    counter_examples=(
        "000-12-3456",
        "666-12-3456",
        "536904399",
        "case 536904399",
        "2024-10-2311",
        "version 123-45-67890",
    ),
    sources=("https://www.ssa.gov/employer/randomization.html",),
)
