"""Egypt: national identity numbers and passports."""

from vestibule.detection.detectors.national_ids import is_date, labelled, passport
from vestibule.detection.rules import Detector

_GOVERNORATES = frozenset(
    [
        "01",
        "02",
        "03",
        "04",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "21",
        "22",
        "23",
        "24",
        "25",
        "26",
        "27",
        "28",
        "29",
        "31",
        "32",
        "33",
        "34",
        "35",
        "88",
    ]
)


def is_national_id(value: str) -> bool:
    """Check the date of birth and the governorate; how the last digit is made is not published."""
    century = 1900 if value[0] == "2" else 2000
    is_born = is_date(century + int(value[1:3]), int(value[3:5]), int(value[5:7]))
    return is_born and value[7:9] in _GOVERNORATES


DETECTORS = (
    Detector(
        entity="EG_NATIONAL_ID",
        # Century, date of birth and governorate.
        rules=(labelled("bare", r"[23]\d{2}[01]\d[0-3]\d{8}", is_national_id, is_sufficient_alone=True),),
        labels=(
            "الرقم القومي",
            "egyptian id",
            "egyptian national id",
        ),
        examples=(
            "[[28406152101234]]",
            "الرقم القومي: [[28406150101234]]",
        ),
        counter_examples=(
            "28413152101234",
            "28406159901234",
            "order 28406152101234",
        ),
        sources=("https://moi.gov.eg/",),
    ),
    passport("EG", "egyptian", r"A\d{8}", "A12345678", words=("جواز سفر",)),
)
