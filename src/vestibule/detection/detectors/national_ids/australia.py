"""Australia: tax file, business and company numbers, passports and driver licences."""

from vestibule.detection.detectors.national_ids import (
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

_TFN = Standard("au.tfn")
_ABN = Standard("au.abn")
_ACN = Standard("au.acn")

DETECTORS = (
    Detector(
        entity="AU_TFN",
        rules=(
            labelled("grouped", r"[1-9]\d{2} \d{3} \d{3}", _TFN, is_sufficient_alone=True),
            labelled("bare", r"\d{3}-?\d{3}-?\d{2,3}", _TFN),
        ),
        labels=("tfn", "tax file number", "tax file no"),
        examples=("[[793 009 649]]", "TFN: [[929638181]]", "tax file number [[929638182]]"),
        counter_examples=("793 009 648", "929638181", "order 793 009 649"),
        sources=("https://www.ato.gov.au/", "python-stdnum, stdnum.au.tfn"),
    ),
    Detector(
        entity="AU_ABN",
        rules=(
            standing("grouped", r"[1-9]\d \d{3} \d{3} \d{3}", _ABN),
            labelled("bare", r"[1-9]\d{10}", _ABN),
        ),
        labels=("abn", "australian business number", "business number"),
        examples=("[[82 800 526 282]]", "ABN [[86776879808]]"),
        counter_examples=("82 800 526 283", "86776879808"),
        sources=("https://abr.business.gov.au/Help/AbnFormat", "python-stdnum, stdnum.au.abn"),
    ),
    Detector(
        entity="AU_ACN",
        rules=(
            # One leading zero is more likely a telephone number's.
            labelled("grouped", r"(?:00\d|[1-9]\d{2}) \d{3} \d{3}", _ACN, is_sufficient_alone=True),
            labelled("bare", r"\d{9}", _ACN),
        ),
        labels=("acn", "australian company number", "company number"),
        examples=("[[419 926 453]]", "ACN [[914812294]]"),
        counter_examples=("419 926 454", "914812294"),
        sources=("https://asic.gov.au/", "python-stdnum, stdnum.au.acn"),
    ),
    passport("AU", "australian", r"[A-Z]{1,2}\d{7}", "PA1234567"),
    driving_licence(
        "AU",
        "australian",
        r"\d{6,10}|[A-Z]\d{5,8}|\d{3} \d{3} \d{2,4}|\d{4}[A-Z]{2}",
        "012345678",
        sources=("https://austroads.gov.au/",),
    ),
)
