"""Routing numbers of banks in the United States."""

from vestibule.detection.detectors.national_ids import labelled, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum

_WEIGHTS = (3, 7, 1) * 3


def is_routing_number(value: str) -> bool:
    """Check the district and the check digit. Source: ABA, routing number policy."""
    digits = digits_of(value)
    district = int(digits[:2])
    is_district = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return is_district and int(digits) > 0 and weighted_sum(digits, _WEIGHTS) % 10 == 0


DETECTOR = Detector(
    entity="ABA_ROUTING_NUMBER",
    rules=(
        standing("dashed", r"\d{4}-\d{4}-\d", is_routing_number, score=0.55, is_strict=True),
        labelled("bare", r"\d{9}", is_routing_number),
    ),
    labels=(
        "routing",
        "routing number",
        "aba",
        "aba number",
        "rtn",
        "routing no",
        "routing transit number",
        "transit number",
    ),
    examples=("[[0711-0130-7]]", "routing number: [[121000358]]", "ABA [[025073041]]"),
    counter_examples=("121000358", "0711-0130-8", "order 121000358"),
    sources=("https://www.aba.com/about-us/routing-number",),
)
