"""Finland: personal identity codes, business IDs and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    Standard,
    is_date,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_HETU = r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]"


def is_hetu(value: str) -> bool:
    """Check the date and the control character: the nine digits modulo 31."""
    code = value.upper()
    century = {"+": 1800, **dict.fromkeys("-UVWXY", 1900)}.get(code[6], 2000)
    is_checked = code[10] == _LETTERS[int(code[:6] + code[7:10]) % 31]
    return is_checked and is_date(century + int(code[4:6]), int(code[2:4]), int(code[:2]))


DETECTORS = (
    Detector(
        entity="FI_PERSONAL_IDENTITY_CODE",
        rules=(standing("code", _HETU, is_hetu, score=0.7, ignore_case=True),),
        labels=("hetu", "henkilötunnus", "personbeteckning", "personal identity code", *NATIONAL_WORDS),
        examples=("[[150684-014M]]", "hetu: [[150684-723H]]", "[[150684A014M]]", "henkilötunnus [[150684-014N]]"),
        counter_examples=("150684-014N", "321384-014M", "150684/014M"),
        sources=("https://dvv.fi/en/personal-identity-code",),
    ),
    Detector(
        entity="FI_BUSINESS_ID",
        rules=(labelled("dashed", r"\d{7}-\d", Standard("fi.ytunnus")),),
        labels=("y tunnus", "y tunnus", "ytunnus", "fo nummer", "business id"),
        examples=("Y-tunnus: [[3444168-0]]",),
        counter_examples=("3444168-0", "3330093-1"),
        sources=("https://www.ytj.fi/", "python-stdnum, stdnum.fi.ytunnus"),
    ),
    passport("FI", "finnish", r"[A-Z]{2}\d{7}", "XP1234567", words=("passin numero", "passinumero")),
)
