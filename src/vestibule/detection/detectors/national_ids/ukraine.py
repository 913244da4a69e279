"""Ukraine: tax numbers (RNOKPP), register numbers, identity cards, passports and company codes."""

from datetime import date

from vestibule.detection.detectors.national_ids import (
    Standard,
    driving_licence,
    labelled,
    passport,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum

_FIRST_DAY = date(1899, 12, 31)


def is_rnokpp(value: str) -> bool:
    """Check the last digit; the first five count the days from 31 December 1899 to the birth."""
    return weighted_sum(value, (-1, 5, 7, 9, 4, 6, 10, 5, 7)) % 11 % 10 == int(value[9])


def is_plausible_rnokpp(value: str) -> bool:
    """Check as `is_rnokpp`, and that the birth lies between October 1954 and today: below that, moments begin."""
    days = int(value[:5])
    return 20_000 <= days <= (date.today() - _FIRST_DAY).days and is_rnokpp(value)


DETECTORS = (
    Detector(
        entity="UA_RNOKPP",
        rules=(
            labelled("alone", r"[234]\d{9}", is_plausible_rnokpp, is_sufficient_alone=True),
            labelled("bare", r"\d{10}", is_rnokpp),
        ),
        labels=(
            "рнокпп",
            "іпн",
            "інн",
            "ідентифікаційний код",
            "ідентифікаційний номер",
            "реєстраційний номер облікової картки платника податків",
            "індивідуальний податковий номер",
            "податковий номер",
            "rnokpp",
            "ipn",
            "инн",
        ),
        examples=(
            "[[3076153975]]",
            "РНОКПП: [[3076153975]]",
            "ІПН [[3049436329]]",
            "RNOKPP [[3049436328]]",
        ),
        counter_examples=("3049436328", "1750493632", "замовлення 3076153975"),
        sources=(
            "https://tax.gov.ua/",
            "python-stdnum, stdnum.ua.rntrc",
        ),
    ),
    Detector(
        entity="UA_UNZR",
        rules=(labelled("dashed", r"(?:19|20)\d{2}[01]\d[0-3]\d-\d{5}"),),
        labels=(
            "унзр",
            "unzr",
            "запис у реєстрі",
        ),
        examples=("УНЗР: [[19840615-01234]]",),
        counter_examples=("19840615-01234",),
        sources=("https://dmsu.gov.ua/",),
    ),
    Detector(
        entity="UA_EDRPOU",
        rules=(labelled("bare", r"\d{8}", Standard("ua.edrpou")),),
        labels=(
            "єдрпоу",
            "код єдрпоу",
            "edrpou",
        ),
        examples=("ЄДРПОУ: [[35170859]]",),
        counter_examples=("35170859",),
        sources=(
            "https://usr.minjust.gov.ua/",
            "python-stdnum, stdnum.ua.edrpou",
        ),
    ),
    passport(
        "UA",
        "ukrainian",
        r"[A-ZА-ЯІЇЄҐ]{2} ?\d{6}|\d{9}",
        "КН 123456",
        words=(
            "паспорт*",
            "серія та номер",
            "id картка",
        ),
    ),
    driving_licence(
        "UA",
        "ukrainian",
        r"[A-ZА-ЯІЇЄҐ]{3} ?\d{6}",
        "ВХХ 123456",
        words=(
            "посвідчення водія",
            "водійське посвідчення",
        ),
        sources=("https://hsc.gov.ua/",),
    ),
)
