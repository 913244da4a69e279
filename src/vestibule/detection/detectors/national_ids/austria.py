"""Austria: social insurance and tax numbers, passports."""

from vestibule.detection.detectors.national_ids import TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_INSURANCE = Standard("at.vnr")
_TAX = Standard("at.tin")

DETECTORS = (
    Detector(
        entity="AT_SOCIAL_SECURITY",
        rules=(
            # The last six digits are a date of birth.
            labelled("grouped", r"[1-9]\d{3} [0-3]\d[01]\d{3}", _INSURANCE, is_sufficient_alone=True),
            labelled("bare", r"[1-9]\d{9}", _INSURANCE),
        ),
        labels=(
            *("sozialversicherungsnummer", "sv nummer", "svnr", "versicherungsnummer", "sv nummer"),
            *("austrian social security number", "social insurance number"),
        ),
        examples=("[[2162 150684]]", "SVNR: [[7174150684]]", "Sozialversicherungsnummer [[2163 150684]]"),
        counter_examples=("2163 150684", "7174150684", "Rechnung 2162 150684"),
        sources=("https://www.sozialversicherung.at/", "python-stdnum, stdnum.at.vnr"),
    ),
    Detector(
        entity="AT_TAX_ID",
        rules=(
            standing("slashed", r"\d{2}-\d{3}/\d{4}", _TAX),
            labelled("bare", r"\d{2}[- ]?\d{3}[/ ]?\d{4}", _TAX),
        ),
        labels=("steuernummer", "abgabenkontonummer", "steuer nr", "st nr", *TAX_WORDS),
        examples=("[[15-459/1127]]", "Steuernummer [[109990697]]"),
        counter_examples=("15-459/1128", "109990697"),
        sources=("https://www.bmf.gv.at/", "python-stdnum, stdnum.at.tin"),
    ),
    passport("AT", "austrian", r"[A-Z]{1,2}\d{7}", "P1234567", words=("österreichischer reisepass",)),
)
