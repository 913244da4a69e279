"""Hungary: personal, tax and social security (TAJ) numbers, identity cards and passports."""

from vestibule.detection.detectors.national_ids import is_date, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum


def is_tax_id(value: str) -> bool:
    """Check the last digit: each digit times its place, modulo 11."""
    return weighted_sum(value, tuple(range(1, 10))) % 11 == int(value[9])


def is_taj(value: str) -> bool:
    """Check the last digit: weights 3 and 7 by turns, modulo 10."""
    digits = digits_of(value)
    return weighted_sum(digits, (3, 7) * 4) % 10 == int(digits[8])


def is_personal_number(value: str) -> bool:
    """Check the date of birth and the last digit: places as weights, backwards for births from 1997 on, modulo 11."""
    digits = digits_of(value)
    year = (1900 if digits[0] < "3" else 2000) + int(digits[1:3])
    weights = tuple(range(1, 11)) if year < 1997 else tuple(range(10, 0, -1))
    return is_date(year, int(digits[3:5]), int(digits[5:7])) and weighted_sum(digits, weights) % 11 == int(digits[10])


DETECTORS = (
    Detector(
        entity="HU_PERSONAL_NUMBER",
        rules=(
            labelled(
                "number",
                r"[1-4](?:\d{10}|[ -]\d{6}[ -]\d{4})",
                is_personal_number,
                is_sufficient_alone=True,
            ),
        ),
        labels=("személyi azonosító", "személyi szám", "személyazonosító jel"),
        examples=("[[18504121237]]", "személyi szám: [[1-850412-1237]]"),
        counter_examples=("18504121238", "18513121237", "order 18504121237"),
        sources=("1996. évi XX. törvény, 2. melléklet",),
    ),
    Detector(
        entity="HU_TAX_ID",
        rules=(labelled("bare", r"8\d{9}", is_tax_id),),
        labels=("adóazonosító", "adóazonosító jel", "adószám"),
        examples=("adóazonosító jel: [[8448231325]]",),
        counter_examples=("8448231325", "order 8448231325"),
        sources=("1996. évi XX. törvény",),
    ),
    Detector(
        entity="HU_TAJ",
        rules=(labelled("grouped", r"\d{3}[ -]?\d{3}[ -]?\d{3}", is_taj),),
        labels=("taj", "taj szám", "tajszám", "taj szám", "társadalombiztosítási azonosító jel"),
        examples=("TAJ szám: [[123 456 788]]", "TAJ [[123456788]]"),
        counter_examples=("123 456 788", "123456788"),
        sources=("1996. évi XX. törvény",),
    ),
    Detector(
        entity="HU_ID_CARD",
        rules=(labelled("labelled", r"\d{6}[A-Z]{2}|[A-Z]{2}\d{6}"),),
        labels=("személyi igazolvány", "személyazonosító igazolvány", "szig. szám"),
        examples=("személyi igazolvány: [[123456AB]]",),
        counter_examples=("123456AB",),
        sources=("https://www.consilium.europa.eu/prado/",),
    ),
    passport("HU", "hungarian", r"[A-Z]{2}\d{6,7}", "BH1234567", words=("útlevél", "útlevélszám")),
)
