"""Taiwan: identity numbers, business numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum

# Each letter stands for a number from 10 on, in this order.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"


def is_id_number(value: str) -> bool:
    """Check the last digit."""
    region = _LETTERS.index(value[0]) + 10
    total = region // 10 + region % 10 * 9 + weighted_sum(value[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))
    return total % 10 == 0


DETECTORS = (
    Detector(
        entity="TW_NATIONAL_ID",
        rules=(labelled("number", r"[A-Z][1289]\d{8}", is_id_number, is_sufficient_alone=True),),
        labels=(
            "身分證",
            "身分證字號",
            "身份證字號",
            "taiwan id",
            "統一證號",
        ),
        examples=(
            "[[A166596166]]",
            "身分證字號: [[F278023531]]",
        ),
        counter_examples=(
            "A166596167",
            "order A166596166",
        ),
        sources=("https://www.ris.gov.tw/",),
    ),
    Detector(
        entity="TW_BUSINESS_NUMBER",
        rules=(labelled("bare", r"\d{8}", Standard("tw.ubn")),),
        labels=(
            "統一編號",
            "統編",
            "unified business number",
        ),
        examples=("統一編號: [[35543043]]",),
        counter_examples=("35543043",),
        sources=(
            "https://www.fia.gov.tw/",
            "python-stdnum, stdnum.tw.ubn",
        ),
    ),
    passport(
        "TW",
        "taiwanese",
        r"\d{9}",
        "312345678",
        words=(
            "護照",
            "護照號碼",
        ),
    ),
)
