"""Belgium: national register numbers, identity cards and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_REGISTER = Standard("be.nn")
_CARD = Standard("be.eid")

DETECTORS = (
    Detector(
        entity="BE_NATIONAL_NUMBER",
        rules=(
            standing("dotted", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", _REGISTER, score=0.7),
            # A date of birth and two check digits.
            labelled("bare", r"\d{11}", _REGISTER, is_sufficient_alone=True),
        ),
        labels=(
            *("rijksregisternummer", "insz", "insz nummer", "numéro national", "numéro de registre national"),
            *("registre national", "niss", "rrn", "national register number", *NATIONAL_WORDS),
        ),
        examples=("[[85.07.30-070.88]]", "rijksregisternummer [[85073003031]]", "[[85073003031]]"),
        counter_examples=("85.07.30-070.89", "85073003032"),
        sources=("https://www.ibz.rrn.fgov.be/", "python-stdnum, stdnum.be.nn"),
    ),
    Detector(
        entity="BE_ID_CARD",
        rules=(
            standing("dashed", r"\d{3}-\d{7}-\d{2}", _CARD),
            labelled("bare", r"\d{12}", _CARD),
        ),
        labels=("identiteitskaart", "carte d'identité", "kaartnummer", "eid", *NATIONAL_WORDS),
        examples=("[[596-7242775-73]]", "identiteitskaart [[598244957081]]"),
        counter_examples=("596-7242775-74", "598244957081"),
        sources=("https://eid.belgium.be/", "python-stdnum, stdnum.be.eid"),
    ),
    passport("BE", "belgian", r"[A-Z]{2}\d{6}", "EH123456", words=("belgisch paspoort", "passeport belge")),
)
