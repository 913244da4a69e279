"""Norway: birth numbers, organisation numbers and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="NO_FODSELSNUMMER",
        # Date of birth and two check digits.
        rules=(
            standing("grouped", r"[0-7]\d[0-9]\d{3} \d{5}", Standard("no.fodselsnummer")),
            labelled("bare", r"[0-7]\d[0-9]\d{8}", Standard("no.fodselsnummer"), is_sufficient_alone=True),
        ),
        labels=(
            "fødselsnummer",
            "personnummer",
            "fnr",
            "fodselsnummer",
            "d nummer",
            "norwegian id",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[150684 69233]]",
            "[[15068410654]]",
            "fødselsnummer: [[15068469234]]",
        ),
        counter_examples=(
            "15068469234",
            "ordre 15068469233",
        ),
        sources=(
            "https://www.skatteetaten.no/",
            "python-stdnum, stdnum.no.fodselsnummer",
        ),
    ),
    Detector(
        entity="NO_ORGNR",
        rules=(labelled("bare", r"[89]\d{2} ?\d{3} ?\d{3}", Standard("no.orgnr")),),
        labels=(
            "organisasjonsnummer",
            "orgnr",
            "org.nr",
            "org nr",
            "foretaksnummer",
        ),
        examples=("orgnr: [[942 436 211]]",),
        counter_examples=("942 436 211",),
        sources=(
            "https://www.brreg.no/",
            "python-stdnum, stdnum.no.orgnr",
        ),
    ),
    passport(
        "NO",
        "norwegian",
        r"\d{8}|[A-Z]{3}\d{5,6}",
        "29123456",
        words=(
            "passnummer",
            "norsk pass",
        ),
    ),
)
