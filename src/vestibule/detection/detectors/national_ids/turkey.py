"""Turkey: identity numbers, tax numbers, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    Standard,
    driving_licence,
    labelled,
    passport,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="TR_NATIONAL_ID",
        # Two check digits.
        rules=(labelled("bare", r"[1-9]\d{10}", Standard("tr.tckimlik"), is_sufficient_alone=True),),
        labels=(
            "tc kimlik",
            "t.c. kimlik",
            "tc kimlik no",
            "tckn",
            "kimlik no",
            "kimlik numarası",
            "t.c. kimlik no",
            "tc no",
            "türk kimlik",
            "turkish id",
            "turkish national id",
        ),
        examples=(
            "[[86256542648]]",
            "TC Kimlik No: [[95371569218]]",
            "TCKN [[95371569219]]",
        ),
        counter_examples=(
            "86256542649",
            "sipariş no 86256542649",
        ),
        sources=(
            "https://www.nvi.gov.tr/",
            "python-stdnum, stdnum.tr.tckimlik",
        ),
    ),
    Detector(
        entity="TR_VKN",
        rules=(labelled("bare", r"\d{10}", Standard("tr.vkn")),),
        labels=(
            "vergi no",
            "vkn",
            "vergi kimlik",
            "vergi kimlik numarası",
            "vergi numarası",
        ),
        examples=("VKN: [[2667769266]]",),
        counter_examples=("2667769266",),
        sources=(
            "https://www.gib.gov.tr/",
            "python-stdnum, stdnum.tr.vkn",
        ),
    ),
    passport(
        "TR",
        "turkish",
        r"[A-Z]\d{8}",
        "U12345678",
        words=(
            "pasaport",
            "pasaport no",
            "pasaport numarası",
        ),
    ),
    driving_licence(
        "TR",
        "turkish",
        r"\d{6}",
        "123456",
        words=(
            "ehliyet",
            "sürücü belgesi",
            "ehliyet no",
        ),
        sources=("https://www.nvi.gov.tr/",),
    ),
)
