"""South Korea: resident, foreigner and business numbers, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    ICAO_9303,
    NATIONAL_WORDS,
    PASSPORT_WORDS,
    TAX_WORDS,
    is_date,
    labelled,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum

_CENTURIES = {
    "1": 1900,
    "2": 1900,
    "3": 2000,
    "4": 2000,
    "5": 1900,
    "6": 1900,
    "7": 2000,
    "8": 2000,
    "9": 1800,
    "0": 1800,
}
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_ID_FORM = r"\d{2}[01]\d[0-3]\d%s[%s]\d{6}"


def has_birth_date(value: str) -> bool:
    """Check the date of birth; the seventh digit says the century. Numbers given since October 2020 check no more."""
    digits = digits_of(value)
    return is_date(_CENTURIES[digits[6]] + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))


def is_plausible_resident(value: str) -> bool:
    """Check as `is_resident` for births before October 2020; later numbers have no check digit."""
    is_recent = digits_of(value)[6] in "34" and value[:4] >= "2010"
    return has_birth_date(value) if is_recent else is_resident(value)


def is_resident(value: str) -> bool:
    """Check the date of birth and the last digit."""
    digits = digits_of(value)
    return has_birth_date(value) and (11 - weighted_sum(digits, _WEIGHTS) % 11) % 10 == int(digits[12])


def is_foreigner(value: str) -> bool:
    """Check the date of birth and the last digit, which is 2 more than a resident's."""
    digits = digits_of(value)
    return has_birth_date(value) and (13 - weighted_sum(digits, _WEIGHTS) % 11) % 10 == int(digits[12])


def is_business_number(value: str) -> bool:
    """Check the last digit: weights 1 3 7 by turns, the ninth digit times 5 with its tens added."""
    digits = digits_of(value)
    total = weighted_sum(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(digits[8]) * 5 // 10
    return (10 - total % 10) % 10 == int(digits[9])


DETECTORS = (
    Detector(
        entity="KR_RRN",
        rules=(
            standing("dashed", _ID_FORM % ("-", "1-4"), is_plausible_resident, is_strict=True),
            labelled("bare", _ID_FORM % ("", "1-4"), is_resident, is_sufficient_alone=True),
        ),
        labels=("rrn", "주민등록번호", "주민번호", "resident registration number", *NATIONAL_WORDS),
        examples=("[[840615-1915330]]", "RRN: [[8406151958612]]", "주민등록번호 [[8406151958612]]"),
        counter_examples=("841315-1915330", "8406151958613", "order 8406151958612"),
        sources=("주민등록법 시행규칙", "python-stdnum, stdnum.kr.rrn"),
    ),
    Detector(
        entity="KR_FRN",
        rules=(
            standing("dashed", _ID_FORM % ("-", "5-8"), has_birth_date, is_strict=True),
            labelled("bare", _ID_FORM % ("", "5-8"), is_foreigner, is_sufficient_alone=True),
        ),
        labels=("frn", "외국인등록번호", "foreigner registration number", "alien registration number", *NATIONAL_WORDS),
        examples=("[[911124-5678901]]", "FRN [[9111245678906]]", "[[9111245678906]]"),
        counter_examples=("911324-5678901", "9111245678907"),
        sources=("출입국관리법 시행규칙",),
    ),
    Detector(
        entity="KR_BRN",
        rules=(
            standing("dashed", r"[1-9]\d{2}-\d{2}-\d{5}", is_business_number, score=0.55),
            labelled("bare", r"[1-9]\d{9}", is_business_number),
        ),
        labels=("brn", "사업자등록번호", "사업자번호", "business registration number", *TAX_WORDS),
        examples=("[[104-81-82695]]", "사업자등록번호 [[1048172988]]"),
        counter_examples=("104-81-82696", "1048172988"),
        sources=("https://www.nts.go.kr/",),
    ),
    Detector(
        entity="KR_PASSPORT",
        rules=(
            # Since 2021 a letter stands among the digits.
            labelled("current", r"[MSRODG]\d{3}[A-Z]\d{4}", is_sufficient_alone=True, ignore_case=True),
            labelled("former", r"[MSRODG]\d{8}", ignore_case=True),
        ),
        labels=("여권번호", "여권", "korean passport", *PASSPORT_WORDS),
        examples=("[[M123A4567]]", "여권번호는 [[M789C1234]]입니다", "korean passport [[M12345678]]"),
        counter_examples=("M12345678", "M1234A567", "order M123A4567"),
        sources=("https://www.passport.go.kr/", ICAO_9303),
    ),
    Detector(
        entity="KR_DRIVER_LICENSE",
        rules=(
            labelled(
                "grouped",
                r"(?:1[1-9]|2[0-68])(?:-\d{2}-\d{6}-| \d{2} \d{6} )\d{2}",
                is_sufficient_alone=True,
            ),
            labelled("bare", r"(?:1[1-9]|2[0-68])\d{10}"),
        ),
        labels=("운전면허", "운전면허번호", "면허번호", "korean driving licence", "korean driver license"),
        examples=("[[11-22-123456-12]]", "운전면허번호 [[112212345612]]"),
        counter_examples=("11-22-123A56-12", "112212345612", "31-22-123456-12"),
        sources=("https://www.safedriving.or.kr/",),
    ),
)
