"""Poland: PESEL, NIP, REGON, identity cards, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    TAX_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="PL_PESEL",
        # Date of birth, with the century in its month, and a check digit.
        rules=(
            labelled("bare", r"\d{2}[0-3]\d[0-3]\d{6}", Standard("pl.pesel"), is_sufficient_alone=True),
            labelled("unlike", r"\d{11}", Standard("pl.pesel")),
        ),
        labels=(
            "pesel",
            "pesel u",
            "numer pesel",
            "nr pesel",
            "numeru pesel",
            "peselem",
        ),
        examples=(
            "[[84061520464]]",
            "PESEL: [[84061545502]]",
            "pesel [[84061545503]]",
        ),
        counter_examples=(
            "84061520465",
            "zamówienie 84061520464",
        ),
        sources=(
            "https://www.gov.pl/web/gov/czym-jest-numer-pesel",
            "python-stdnum, stdnum.pl.pesel",
        ),
    ),
    Detector(
        entity="PL_NIP",
        rules=(
            standing("dashed", r"[1-9]\d{2}-\d{3}-\d{2}-\d{2}|[1-9]\d{2}-\d{2}-\d{2}-\d{3}", Standard("pl.nip")),
            labelled("bare", r"(?:PL ?)?[1-9]\d{9}", Standard("pl.nip")),
        ),
        labels=(
            "nip",
            "numer nip",
            "numer identyfikacji podatkowej",
            *TAX_WORDS,
        ),
        examples=(
            "[[694-147-29-64]]",
            "NIP: [[8798610215]]",
        ),
        counter_examples=(
            "694-147-29-65",
            "8798610215",
        ),
        sources=(
            "https://www.podatki.gov.pl/",
            "python-stdnum, stdnum.pl.nip",
        ),
    ),
    Detector(
        entity="PL_REGON",
        rules=(labelled("bare", r"\d{9}|\d{14}", Standard("pl.regon")),),
        labels=(
            "regon",
            "numer regon",
        ),
        examples=("REGON: [[821025183]]",),
        counter_examples=("821025183",),
        sources=(
            "https://bip.stat.gov.pl/",
            "python-stdnum, stdnum.pl.regon",
        ),
    ),
    Detector(
        entity="PL_ID_CARD",
        rules=(labelled("card", r"[A-Z]{3} ?\d{6}", ignore_case=True),),
        labels=(
            "dowód osobisty",
            "dowodu osobistego",
            "numer dowodu",
            "dowód",
            "seria i numer",
            "dowod osobisty",
            "nr dowodu",
        ),
        examples=("dowód osobisty: [[ABA300000]]",),
        counter_examples=(
            "ABA300000",
            "zamówienie ABA300000",
        ),
        sources=("https://www.gov.pl/web/gov/dowod-osobisty",),
    ),
    passport("PL", "polish", r"[A-Z]{2} ?\d{7}", "AA1234567", words=("paszport*",)),
    driving_licence(
        "PL",
        "polish",
        r"\d{5}/\d{2}/\d{4}",
        "12345/06/1234",
        words=(
            "prawo jazdy",
            "prawa jazdy",
            "numer prawa jazdy",
        ),
        sources=("https://info-car.pl/",),
    ),
)
