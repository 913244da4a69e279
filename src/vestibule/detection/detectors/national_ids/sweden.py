"""Sweden: personal and organisation numbers, passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="SE_PERSONNUMMER",
        # Date of birth and check digit.
        rules=(
            standing("dashed", r"(?:(?:18|19|20)\d{2}|\d{2})[01]\d[0-9]\d[-+]\d{4}", Standard("se.personnummer")),
            labelled("long", r"(?:19|20)\d{2}[01]\d[0-9]\d{5}", Standard("se.personnummer"), is_sufficient_alone=True),
            labelled("bare", r"\d{2}[01]\d[0-9]\d{5}", Standard("se.personnummer")),
        ),
        labels=(
            "personnummer",
            "personnr",
            "pnr",
            "samordningsnummer",
            "swedish personal number",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[840615-8892]]",
            "[[198406154560]]",
            "personnummer: [[8406158892]]",
            "personnummer [[840615-8893]]",
        ),
        counter_examples=(
            "840615-8893",
            "8406158892",
            "order 840615-8892",
        ),
        sources=(
            "https://www.skatteverket.se/",
            "python-stdnum, stdnum.se.personnummer",
        ),
    ),
    Detector(
        entity="SE_ORGANISATIONSNUMMER",
        rules=(
            standing("dashed", r"(?:16)?[125-9]\d[2-9]\d{3}-\d{4}", Standard("se.orgnr"), score=0.55),
            labelled("bare", r"\d{6}-?\d{4}", Standard("se.orgnr")),
        ),
        labels=(
            "organisationsnummer",
            "orgnummer",
            "orgnr",
            "org.nr",
            "company identity code",
            "momsnummer",
            *TAX_WORDS,
        ),
        examples=(
            "[[556054-6490]]",
            "organisationsnummer: [[5564523255]]",
        ),
        counter_examples=(
            "556054-6491",
            "5564523255",
        ),
        sources=(
            "https://www.bolagsverket.se/",
            "python-stdnum, stdnum.se.orgnr",
        ),
    ),
    passport(
        "SE",
        "swedish",
        r"[A-Z]{2}\d{7}|\d{8}",
        "AA1234567",
        words=(
            "passnummer",
            "svenskt pass",
        ),
    ),
)
