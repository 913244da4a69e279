"""Kazakhstan: individual identification numbers (IIN) and passports."""

from vestibule.detection.detectors.national_ids import is_short_date, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum

_FIRST = tuple(range(1, 12))
_SECOND = (*range(3, 12), 1, 2)


def is_iin(value: str) -> bool:
    """Check the date of birth and the last digit."""
    rest = weighted_sum(value, _FIRST) % 11
    if rest == 10:
        rest = weighted_sum(value, _SECOND) % 11
    return rest == int(value[11]) and is_short_date(value[:2], value[2:4], value[4:6])


DETECTORS = (
    Detector(
        entity="KZ_IIN",
        # Date of birth, century and sex, check digit.
        rules=(labelled("bare", r"\d{2}[01]\d[0-3]\d[0-6]\d{5}", is_iin),),
        labels=(
            "иин",
            "жсн",
            "iin",
            "индивидуальный идентификационный номер",
        ),
        examples=(
            "IIN [[840615345800]]",
            "ИИН: [[840615340929]]",
        ),
        counter_examples=(
            "840615345800",
            "заказ 840615345800",
        ),
        sources=("Закон № 223-V «О национальных реестрах идентификационных номеров»",),
    ),
    passport("KZ", "kazakh", r"N\d{8}", "N12345678", words=("төлқұжат",)),
)
