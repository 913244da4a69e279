"""Switzerland: social insurance numbers (AHV/AVS), company numbers and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, TAX_WORDS, Standard, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="CH_AHV",
        rules=(standing("number", r"756\.?\d{4}\.?\d{4}\.?\d{2}", Standard("ch.ssn"), score=0.65),),
        labels=(
            "ahv",
            "ahv nummer",
            "ahv nr",
            "ahvn13",
            "avs",
            "numéro avs",
            "numero avs",
            "navs13",
            "ahv nummer",
            "sozialversicherungsnummer",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[756.7098.2084.57]]",
            "AHV-Nr. [[7566667467202]]",
            "ahv [[756.7098.2084.58]]",
        ),
        counter_examples=(
            "756.7098.2084.58",
            "7566667467203",
        ),
        sources=(
            "https://www.zas.admin.ch/",
            "python-stdnum, stdnum.ch.ssn",
        ),
    ),
    Detector(
        entity="CH_UID",
        rules=(standing("number", r"CHE-?\d{3}\.?\d{3}\.?\d{3}", Standard("ch.uid"), score=0.65),),
        labels=(
            "uid",
            "uid nummer",
            "unternehmens identifikationsnummer",
            "mwst",
            "mwst nummer",
            *TAX_WORDS,
        ),
        examples=("[[CHE-100.155.028]]",),
        counter_examples=("CHE-100.155.029",),
        sources=(
            "https://www.uid.admin.ch/",
            "python-stdnum, stdnum.ch.uid",
        ),
    ),
    passport(
        "CH",
        "swiss",
        r"[A-Z]\d[A-Z0-9]\d{5}|[A-Z]\d[A-Z]\d{2}[A-Z]\d{2}",
        "S1234567",
        words=(
            "schweizer pass",
            "passeport suisse",
        ),
    ),
)
