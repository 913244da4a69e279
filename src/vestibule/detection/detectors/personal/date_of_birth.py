"""Dates of birth: a date with a label that says so."""

from vestibule.detection.rules import Detector, DetectorExample, Rule

_MONTHS = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|ene|abr|ago|dic|fév|avr|juin|juil|août|déc|gen|mag|giu|"
    r"lug|set|ott|fev|maa|mei|січ|лют|бер|кві|тра|чер|лип|сер|вер|жов|лис|гру|sty|lut|kwi|maj|cze|lip|sie|wrz|paź|lis|gru)"
)
_DAY, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:19|20)\d\d"

DETECTOR = Detector(
    entity="DATE_OF_BIRTH",
    rules=(
        Rule(
            name="numeric",
            pattern=rf"{_DAY}[-/. ]{_DAY}[-/. ](?:{_YEAR}|\d\d)|{_YEAR}[-/.]{_DAY}[-/.]{_DAY}|{_YEAR}[01]\d[0-3]\d",
            score=0.2,
        ),
        Rule(
            name="named-month",
            pattern=rf"{_DAY}(?:st|nd|rd|th|er|\.|º)?(?: de)? {_MONTHS}\w{{0,9}}\.?,?(?: de)? {_YEAR}|"
            rf"{_MONTHS}\w{{0,9}}\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR}|{_DAY}-{_MONTHS}-{_YEAR}",
            score=0.2,
            ignore_case=True,
        ),
    ),
    labels=(
        *("date of birth", "dob", "born", "born on", "birthday", "birthdate", "birth date", "d o b", "birth"),
        *(
            "geboren",
            "geboren am",
            "geburtsdatum",
            "geburtstag",
            "fecha de nacimiento",
            "nacido",
            "nacida",
            "nacimiento",
        ),
        *("date de naissance", "né le", "née le", "naissance", "data di nascita", "nato il", "nata il", "nascita"),
        *("data de nascimento", "nascido em", "nascida em", "nascimento", "geboortedatum", "geboren op"),
        *("data urodzenia", "urodzony", "urodzona", "ur", "дата народження", "народився", "народилася"),
    ),
    examples=(
        "DOB: [[04/12/1985]]",
        "born on [[12 March 1985]]",
        "geboren am [[01.02.1990]]",
        DetectorExample("[[1985-12-04]]", key="dateOfBirth"),
        "дата народження: [[04.12.1985]]",
    ),
    counter_examples=("04/12/1985", "12 March 1985", "due date: 04/12/2025", "version 1.2.2020"),
    sources=("ISO 8601-1", "Unicode CLDR, date formats"),
)
