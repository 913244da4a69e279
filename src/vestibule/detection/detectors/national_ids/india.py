"""India: Aadhaar, PAN, voter cards, GSTIN, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    PASSPORT_WORDS,
    TAX_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact

_AADHAAR = Standard("in_.aadhaar")
_STATES = range(1, 39)


def has_state(value: str) -> bool:
    """Check that the first two digits are a state's."""
    return int(compact(value)[:2]) in _STATES


DETECTORS = (
    Detector(
        entity="IN_AADHAAR",
        rules=(
            labelled("grouped", r"[2-9]\d{3}(?: \d{4} |-\d{4}-)\d{4}", _AADHAAR, is_sufficient_alone=True),
            labelled("bare", r"[2-9]\d{11}", _AADHAAR),
        ),
        labels=(
            "aadhaar",
            "aadhar",
            "adhaar",
            "adhar",
            "aadhaar number",
            "aadhaar no",
            "uidai",
            "uid",
            "आधार",
        ),
        examples=("[[7527 5924 8316]]", "Aadhaar: [[238125121490]]", "aadhaar no [[7527-5924-8317]]"),
        counter_examples=("7527 5924 8317", "238125121490", "order 7527 5924 8316"),
        sources=("https://uidai.gov.in/", "python-stdnum, stdnum.in_.aadhaar"),
    ),
    Detector(
        entity="IN_PAN",
        # The fourth letter is the kind of holder.
        rules=(
            standing("card", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", None, score=0.55),
            labelled("labelled", r"[A-Z]{5}\d{4}[A-Z]", ignore_case=True),
        ),
        labels=("pan", "pan card", "pan number", "pan no", "permanent account number", *TAX_WORDS),
        examples=("[[ABCPK8768F]]", "PAN: [[ABCPK8299W]]", "permanent account number [[abcpk8299w]]"),
        counter_examples=("ABCDK8768F", "ABCPK87689", "order ABCPK8768F"),
        sources=("https://incometaxindia.gov.in/", "python-stdnum, stdnum.in_.pan"),
    ),
    Detector(
        entity="IN_GSTIN",
        rules=(
            standing(
                "number",
                r"[0-3]\d[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]",
                has_state,
                score=0.7,
                is_strict=True,
            ),
        ),
        labels=("gstin", "gst number", "gst no", "gst", *TAX_WORDS),
        examples=("[[27ABCPK7512F1ZW]]", "GSTIN: [[27ABCPK0014F1ZD]]"),
        counter_examples=("00ABCPK7512F1ZW", "39ABCPK7512F1ZW", "27ABCPK7512F1YW"),
        sources=("https://www.gst.gov.in/", "python-stdnum, stdnum.in_.gstin"),
    ),
    Detector(
        entity="IN_VOTER",
        rules=(labelled("card", r"[A-Z]{3}\d{7}", Standard("in_.epic"), is_sufficient_alone=True, ignore_case=True),),
        labels=(
            "voter id",
            "voter card",
            "voter",
            "epic number",
            "electoral photo identity card",
            "voter id card",
        ),
        examples=("[[ACM8675712]]", "voter id: [[VTY6364749]]"),
        counter_examples=("ACM8675713", "order ACM8675712"),
        sources=("https://voters.eci.gov.in/", "python-stdnum, stdnum.in_.epic"),
    ),
    passport("IN", "indian", r"[A-PR-WY][1-9]\d ?\d{4}[1-9]", "T3569075", words=PASSPORT_WORDS),
    driving_licence(
        "IN",
        "indian",
        r"[A-Z]{2}[ -]?\d{2}[ -]?(?:19|20)\d{2}[ -]?\d{7}",
        "MH12 20110012345",
        words=("driving licence", "driving license", "dl no", "dl number"),
        sources=("https://sarathi.parivahan.gov.in/",),
    ),
)
