"""Romania: personal numeric codes (CNP), company codes, identity cards and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="RO_CNP",
        # Sex and century, date of birth, county and check digit.
        rules=(
            labelled("bare", r"[1-9]\d{2}[01]\d[0-3]\d{7}", Standard("ro.cnp"), is_sufficient_alone=True),
            labelled("unlike", r"\d{13}", Standard("ro.cnp")),
        ),
        labels=(
            "cnp",
            "cod numeric personal",
            "codul numeric personal",
        ),
        examples=(
            "[[1840615201817]]",
            "CNP: [[1840615151536]]",
            "cnp [[1840615151537]]",
        ),
        counter_examples=(
            "1840615201818",
            "comanda 1840615201818",
        ),
        sources=(
            "Legea nr. 105/1996",
            "python-stdnum, stdnum.ro.cnp",
        ),
    ),
    Detector(
        entity="RO_CUI",
        rules=(labelled("bare", r"(?:RO ?)?\d{6,10}", Standard("ro.cui"), is_vague=True),),
        labels=(
            "cui",
            "cif",
            "cod unic de înregistrare",
            "cod fiscal",
        ),
        examples=("CUI: [[RO 18547354]]",),
        counter_examples=("18547354",),
        sources=(
            "https://www.anaf.ro/",
            "python-stdnum, stdnum.ro.cui",
        ),
    ),
    Detector(
        entity="RO_ID_CARD",
        rules=(labelled("card", r"[A-Z]{2} ?\d{6}", ignore_case=True),),
        labels=(
            "carte de identitate",
            "cartea de identitate",
            "buletin",
        ),
        examples=("carte de identitate: [[RX 123456]]",),
        counter_examples=("RX123456",),
        sources=("https://depabd.mai.gov.ro/",),
    ),
    passport(
        "RO",
        "romanian",
        r"\d{8,9}",
        "051234567",
        words=(
            "pașaport românesc",
            "pasaport",
        ),
    ),
)
