"""Germany: tax IDs, pension insurance numbers, identity cards, passports and driving licences."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    Standard,
    driving_licence,
    is_short_date,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import compact

_TAX_ID = Standard("de.idnr")
# Serial numbers leave out vowels and what looks like another character. Source: BSI TR-03105.
# Four characters for the authority, five at random, each a digit or a consonant; then perhaps check digit and a D.
_SERIAL = r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}(?:\d[Dd]?)?|T\d{8}"


def is_pension_number(value: str) -> bool:
    """Check the date of birth and the check digit. Source: VKVV, paragraphs 2 and 4."""
    code = compact(value)
    digits = code[:8] + f"{ord(code[8]) - 64:02}" + code[9:11]
    products = (int(digit) * weight for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    day = int(code[2:4]) % 50 or 1  # 50 is added where the number would have been given twice
    is_born = is_short_date(code[6:8], code[4:6], f"{day:02}")
    return is_born and sum(product // 10 + product % 10 for product in products) % 10 == int(code[11])


DETECTORS = (
    Detector(
        entity="DE_TAX_ID",
        rules=(
            # One digit occurs twice or three times, and the last one is a check digit.
            labelled("number", r"[1-9]\d{10}|[1-9]\d \d{3} \d{3} \d{3}", _TAX_ID, is_sufficient_alone=True),
        ),
        labels=(
            *("steuer id", "steueridentifikationsnummer", "steuer identifikationsnummer", "steuer idnr", "idnr", "tin"),
            *("steuerliche identifikationsnummer", "identifikationsnummer", "steuerid", "german tax id"),
        ),
        examples=("[[63802139754]]", "Steuer-ID: [[29 568 232 018]]", "steueridentifikationsnummer [[63802139755]]"),
        counter_examples=("63802139755", "Bestellung 63802139754"),
        sources=("Abgabenordnung, paragraph 139b", "python-stdnum, stdnum.de.idnr"),
    ),
    Detector(
        entity="DE_TAX_NUMBER",
        rules=(labelled("slashed", r"\d{2,3}/\d{3,4}/\d{4,5}|\d{10,13}|\d{2,3} \d{3,4} \d{4,5}", Standard("de.stnr")),),
        labels=("steuernummer", "steuer nr", "st. nr", "stnr", "steuer nummer"),
        examples=("Steuernummer: [[21/815/00599]]",),
        counter_examples=("21/815/00599", "Rechnung 2181500599"),
        sources=("https://www.elster.de/", "python-stdnum, stdnum.de.stnr"),
    ),
    Detector(
        entity="DE_SOCIAL_SECURITY",
        rules=(standing("number", r"\d{2} ?[0-9]\d[01]\d{3} ?[A-Z] ?\d{3}", is_pension_number, score=0.6),),
        labels=(
            *("rentenversicherungsnummer", "sozialversicherungsnummer", "rvnr", "sv nummer", "svnr", "vsnr"),
            *("versicherungsnummer", "rv-nummer", "sozialversicherungsausweis", *NATIONAL_WORDS),
        ),
        examples=("[[65170839J003]]", "RVNR: [[65 170839 J 003]]", "SV-Nummer [[65170839J004]]"),
        counter_examples=("65170839J004", "65179939J003"),
        sources=("Versicherungsnummern-, Kontoführungs- und Versicherungsverlaufsverordnung",),
    ),
    Detector(
        entity="DE_ID_CARD",
        rules=(labelled("serial", _SERIAL, ignore_case=True),),
        labels=(
            *("personalausweis", "personalausweisnummer", "ausweisnummer", "ausweis", "ausweis nr"),
            *("german id card", "ausweis-nr"),
        ),
        examples=("Personalausweis: [[L01X00T47]]", "Personalausweis: [[L01X0003K]]", "Ausweis Nr. [[T22000129]]"),
        counter_examples=("L01X00T47", "T22000129", "Bestellung L01X00T47"),
        sources=("https://www.personalausweisportal.de/", "BSI TR-03105"),
    ),
    passport(
        "DE",
        "german",
        _SERIAL,
        "C01X00T47",
        words=("reisepass", "reisepassnummer", "passnummer", "pass nr", "pass nr", "reisepasses"),
    ),
    driving_licence(
        "DE",
        "german",
        r"[A-Z]\d{2}[A-Z0-9]{6}\d[A-Z0-9]",
        "B072RRE2I55",
        words=("führerschein", "führerscheinnummer", "fahrerlaubnis", "führerschein nr", "fuehrerschein"),
        sources=("Fahrerlaubnis-Verordnung, Anlage 8",),
    ),
)
