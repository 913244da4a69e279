"""Russia: tax numbers (INN), insurance numbers (SNILS), company numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum


def is_snils(value: str) -> bool:
    """Check the two last digits."""
    digits = digits_of(value)
    return weighted_sum(digits, tuple(range(9, 0, -1))) % 101 % 100 == int(digits[9:])


DETECTORS = (
    Detector(
        entity="RU_INN",
        rules=(labelled("bare", r"\d{10}|\d{12}", Standard("ru.inn")),),
        labels=(
            "инн",
            "inn",
            "идентификационный номер налогоплательщика",
        ),
        examples=(
            "ИНН: [[779652806844]]",
            "ИНН [[7707083893]]",
        ),
        counter_examples=(
            "779652806844",
            "заказ 7707083893",
        ),
        sources=(
            "https://www.nalog.gov.ru/",
            "python-stdnum, stdnum.ru.inn",
        ),
    ),
    Detector(
        entity="RU_SNILS",
        rules=(
            standing("grouped", r"\d{3}-\d{3}-\d{3}[ -]\d{2}", is_snils),
            labelled("bare", r"\d{11}", is_snils),
        ),
        labels=(
            "снилс",
            "snils",
            "страховой номер",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[112-233-645 00]]",
            "СНИЛС: [[11223341185]]",
        ),
        counter_examples=(
            "112-233-645 01",
            "11223341185",
        ),
        sources=("https://sfr.gov.ru/",),
    ),
    Detector(
        entity="RU_OGRN",
        rules=(labelled("bare", r"[15]\d{12}|3\d{14}", Standard("ru.ogrn")),),
        labels=(
            "огрн",
            "огрнип",
            "ogrn",
        ),
        examples=("ОГРН: [[1027700132195]]",),
        counter_examples=("1027700132195",),
        sources=(
            "https://www.nalog.gov.ru/",
            "python-stdnum, stdnum.ru.ogrn",
        ),
    ),
    passport(
        "RU",
        "russian",
        r"\d{2} ?\d{2} ?\d{6}|\d{2} ?\d{7}",
        "45 08 123456",
        words=(
            "паспорт*",
            "серия и номер",
            "загранпаспорт",
        ),
    ),
    driving_licence(
        "RU",
        "russian",
        r"\d{2} ?\d{2} ?\d{6}",
        "77 01 123456",
        words=(
            "водительское удостоверение",
            "права номер",
        ),
        sources=("https://xn--90adear.xn--p1ai/",),
    ),
)
