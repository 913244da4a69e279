"""Spain: NIF, NIE, company (CIF) and social security numbers, passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact, digits_of

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_COMPANY = Standard("es.cif")


def is_nif(value: str) -> bool:
    """Check the letter: the number modulo 23. Source: Real Decreto 1553/2005."""
    code = compact(value)
    return _LETTERS[int(code[:-1]) % 23] == code[-1]


def is_nie(value: str) -> bool:
    """Check the letter as of a NIF; X, Y and Z before the number count 0, 1 and 2."""
    code = compact(value)
    return _LETTERS[int(str("XYZ".index(code[0])) + code[1:-1]) % 23] == code[-1]


def is_social_security(value: str) -> bool:
    """Check the last two digits, modulo 97; small numbers are counted without the zeros in between."""
    digits = digits_of(value)
    number = int(digits[2:10])
    whole = int(digits[:2]) * 10_000_000 + number if number < 10_000_000 else int(digits[:10])
    return whole % 97 == int(digits[10:])


DETECTORS = (
    Detector(
        entity="ES_NIF",
        rules=(
            standing(
                "number", r"\d{8}[- ]?[AC-HJL-NP-TV-Z]|\d{7,8}[- ][BK]|\d{7}-[A-HJ-NP-TV-Z]", is_nif, ignore_case=True
            ),
            labelled("like-a-size", r"\d{8}[BK]", is_nif, is_sufficient_alone=True, ignore_case=True),
            labelled("dotted", r"\d{1,2}\.\d{3}\.\d{3}[- ]?[A-HJ-NP-TV-Z]", is_nif, ignore_case=True),
        ),
        labels=(
            *("nif", "dni", "documento nacional de identidad", "número de identificación fiscal", "d.n.i"),
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[17751735J]]", "[[81306424-K]]", "DNI: [[17.751.735-J]]", "NIF [[17751735K]]", "NIF [[53549104K]]"),
        counter_examples=("17751735K", "17.751.735-J", "pedido 17751735J", "5K->52875319K(60000000K)"),
        sources=("https://www.interior.gob.es/", "Real Decreto 1553/2005"),
    ),
    Detector(
        entity="ES_NIE",
        rules=(standing("number", r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", is_nie, ignore_case=True),),
        labels=(
            "número de identidad de extranjero",
            "número nie",
            "nie número",
            "identidad de extranjero",
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[X3145055N]]", "[[x3763546x]]", "[[Y-8063915-Z]]", "número NIE: [[X3145055P]]"),
        counter_examples=("X3145055P", "58063915Q"),
        sources=("https://www.interior.gob.es/", "Real Decreto 1553/2005"),
    ),
    Detector(
        entity="ES_CIF",
        rules=(standing("number", r"[ABCDEFGHJNPQRSUVW]-?\d{7}-?[0-9A-J]", _COMPANY, score=0.55),),
        labels=("cif", "código de identificación fiscal", *TAX_WORDS),
        examples=("[[B95210720]]", "CIF: [[B-78541752]]"),
        counter_examples=("B95210721",),
        sources=("Real Decreto 1065/2007", "python-stdnum, stdnum.es.cif"),
    ),
    Detector(
        entity="ES_SOCIAL_SECURITY",
        rules=(
            standing("slashed", r"\d{2}/\d{7,8}/\d{2}", is_social_security),
            labelled("bare", r"\d{2}[- ]?\d{8}[- ]?\d{2}", is_social_security),
        ),
        labels=(
            *("número de la seguridad social", "seguridad social", "número de afiliación", "nss", "naf", "nuss"),
            "numero de seguridad social",
        ),
        examples=("[[28/25843827/57]]", "seguridad social: [[285020009614]]"),
        counter_examples=("28/25843827/58", "285020009614"),
        sources=("https://www.seg-social.es/",),
    ),
    passport(
        "ES", "spanish", r"[A-Z]{2,3}\d{6}", "AAA123456", words=("pasaporte", "pasaportes", "número de pasaporte")
    ),
)
