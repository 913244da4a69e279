"""Latvia: personal codes and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="LV_PERSONAL_CODE",
        rules=(
            standing("dashed", r"[0-3]\d[01]\d{3}-[012]\d{4}", Standard("lv.pvn")),
            labelled("bare", r"(?:[0-3]\d[01]\d{3}[012]\d{4}|3[2-9]\d{4}-?\d{5})"),
        ),
        labels=(
            "personas kods",
            "personas kodu",
            "latvian personal code",
            "personal code",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[150684-10033]]",
            "personas kods: [[15068417032]]",
        ),
        counter_examples=(
            "150684-10034",
            "15068417032",
        ),
        sources=(
            "https://www.pmlp.gov.lv/",
            "python-stdnum, stdnum.lv.pvn",
        ),
    ),
    passport("LV", "latvian", r"[A-Z]{2}\d{7}", "LV1234567", words=("pases numurs",)),
)
