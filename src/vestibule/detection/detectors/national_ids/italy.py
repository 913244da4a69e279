"""Italy: fiscal codes, VAT numbers, identity cards, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact, is_one_digit_repeated

# Where two people would share a code, digits become letters of LMNPQRSTUV.
_DIGIT = "[0-9LMNP-V]"
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ),
        strict=True,
    )
)
_VAT = Standard("it.iva")


def is_fiscal_code(value: str) -> bool:
    """Check the last letter. Source: D.M. 23 December 1976."""
    code = compact(value)
    even = sum(int(char) if char.isdigit() else ord(char) - 65 for char in code[1:15:2])
    return chr(65 + (sum(_ODD[char] for char in code[:15:2]) + even) % 26) == code[15]


def is_vat(value: str) -> bool:
    """Check the last digit, the office, and that it is not all zeros."""
    return not is_one_digit_repeated(value[-11:-1]) and _VAT(value)


DETECTORS = (
    Detector(
        entity="IT_FISCAL_CODE",
        rules=(
            standing(
                "checked",
                rf"[A-Z]{{6}}{_DIGIT}{{2}}[A-EHLMPRST](?:[04LQ][1-9MNP-V]|[1256MNRS]{_DIGIT}|[37PT][01LM])"
                rf"[A-Z]{_DIGIT}{{3}}[A-Z]",
                is_fiscal_code,
                score=0.8,
                # Seven are digits; no code has needed letters in place of them all.
                fewest_digits=1,
                prefilter=r"[A-Z]{6}[0-9LMNP-V][0-9LMNP-V][A-EHLMPRST][0-9LMNP-V][0-9LMNP-V][A-Z][0-9LMNP-V]",
                ignore_case=True,
            ),
        ),
        labels=(
            "codice fiscale",
            "cod. fiscale",
            "cod fiscale",
            "cf",
            "c.f",
            "codicefiscale",
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[RSSMRA84H15F205F]]", "codice fiscale: [[rssmra84h15f205f]]", "CF [[RSSMRA84H15F205G]]"),
        counter_examples=("order RSSMRA84H15F205G", "RSSMRA84Z15F205F", "RSSMRA84H75F205F"),
        sources=("https://www.agenziaentrate.gov.it/", "D.M. 23 December 1976"),
    ),
    Detector(
        entity="IT_VAT_CODE",
        rules=(
            standing("prefixed", r"IT\d{11}", is_vat, is_strict=True),
            labelled("bare", r"(?:IT ?)?\d{11}", is_vat),
        ),
        labels=("partita iva", "p. iva", "p.iva", "piva", *TAX_WORDS),
        examples=("partita IVA: [[13440520214]]", "[[IT92490500219]]"),
        counter_examples=("13440520214", "00000000000", "IT92490500218"),
        sources=("https://www.agenziaentrate.gov.it/", "python-stdnum, stdnum.it.iva"),
    ),
    Detector(
        entity="IT_DRIVER_LICENSE",
        rules=(
            # Licences made by the central office begin so.
            standing("central", r"U1[B-DF-HJ-NP-TV-Z0-9]{7}[A-Z]", None, score=0.55, ignore_case=True),
            labelled("provincial", r"[A-Z]{2}\d{7}[A-Z]", ignore_case=True),
        ),
        labels=("patente", "patente di guida", "numero patente", "italian driving licence"),
        examples=("[[U1H00B000C]]", "patente di guida: [[MI1234567X]]"),
        counter_examples=("MI1234567X", "U1234"),
        sources=("https://www.ilportaledellautomobilista.it/",),
    ),
    Detector(
        entity="IT_IDENTITY_CARD",
        rules=(labelled("labelled", r"[A-Z]{2} ?\d{7}|\d{7}[A-Z]{2}|C[A-Z]\d{5}[A-Z]{2}", ignore_case=True),),
        labels=("carta d'identità", "carta di identità", "carta identità", "carta d'identita"),
        examples=("carta d'identità: [[CA12345AA]]", "carta di identità n. [[AX1234567]]"),
        counter_examples=("CA12345AA", "AX1234567"),
        sources=("https://www.cartaidentita.interno.gov.it/",),
    ),
    passport("IT", "italian", r"[A-Z]{2} ?\d{7}", "YA1234567", words=("passaporto", "numero passaporto", "passaporti")),
)
