"""Netherlands: citizen service numbers (BSN), VAT, passports, identity cards and driving licences."""

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
        entity="NL_BSN",
        rules=(labelled("bare", r"\d{8,9}|\d{4}[. ]\d{2}[. ]\d{3}|\d{3} \d{3} \d{3}", Standard("nl.bsn")),),
        labels=(
            "bsn",
            "burgerservicenummer",
            "sofinummer",
            "sofi nummer",
            "bsn nummer",
            "bsn nummer",
            "citizen service number",
        ),
        examples=(
            "BSN: [[525746936]]",
            "burgerservicenummer [[0807.72.092]]",
            "bsn [[525746937]]",
        ),
        counter_examples=(
            "525746936",
            "bestelling 525746936",
        ),
        sources=(
            "https://www.rvig.nl/bsn",
            "python-stdnum, stdnum.nl.bsn",
        ),
    ),
    Detector(
        entity="NL_VAT",
        rules=(standing("number", r"NL\d{9}B\d{2}", Standard("nl.btw"), score=0.7),),
        labels=(
            "btw nummer",
            "btw nummer",
            "btw id",
            "omzetbelastingnummer",
            *TAX_WORDS,
        ),
        examples=("[[NL735266827B01]]",),
        counter_examples=("NL735266828B01",),
        sources=(
            "https://www.belastingdienst.nl/",
            "python-stdnum, stdnum.nl.btw",
        ),
    ),
    passport(
        "NL",
        "dutch",
        r"[A-NP-Z]{2}[0-9A-NP-Z]{6}\d",
        "NP1234565",
        words=(
            "paspoort",
            "paspoortnummer",
            "documentnummer",
            "identiteitskaart",
        ),
    ),
    driving_licence(
        "NL",
        "dutch",
        r"\d{10}",
        "5123456789",
        words=(
            "rijbewijs",
            "rijbewijsnummer",
        ),
        sources=("https://www.rdw.nl/",),
    ),
)
