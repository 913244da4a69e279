"""Licence plates of vehicles, with a label."""

from vestibule.detection.detectors.national_ids import labelled
from vestibule.detection.rules import Detector

# Groups of letters and digits as on the plates of most countries, with at least one of each.
_PLATE = (
    r"[A-Z]{1,3}[ -]?[A-Z]{0,2}[ -]?\d{1,4}[ -]?[A-Z]{0,3}|\d{1,4}[ -]?[A-Z]{1,3}[ -]?\d{0,4}|"
    r"[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{1,4}|[A-Z]\d{3}[A-Z]{2}\d{2,3}|[А-ЯІЇЄ]{2}[ ]?\d{4}[ ]?[А-ЯІЇЄ]{2}"
)


def is_plate(value: str) -> bool:
    """Check that letters and digits are both there, four to nine of them."""
    marks = [char for char in value if char.isalnum()]
    return 4 <= len(marks) <= 9 and any(char.isdigit() for char in marks) and any(char.isalpha() for char in marks)


DETECTOR = Detector(
    entity="LICENSE_PLATE",
    rules=(labelled("labelled", _PLATE, is_plate, is_strict=True, is_vague=True),),
    labels=(
        *("license plate", "licence plate", "number plate", "plate number", "plate no", "plates", "plate", "reg plate"),
        *(
            "vehicle registration",
            "registration plate",
            "registration mark",
            "vehicles",
            "kfz kennzeichen",
            "kennzeichen",
        ),
        *("nummernschild", "autokennzeichen", "plaque d'immatriculation", "immatriculation", "matrícula", "matricula"),
        *("targa", "placa", "placas", "kenteken", "tablica rejestracyjna", "numer rejestracyjny", "rejestracja"),
        *("номерний знак", "держномер", "номер авто", "госномер", "plaka", "plakası", "registreringsnummer"),
    ),
    examples=(
        "license plate: [[7ABC123]]",
        "Kennzeichen [[B-MW 1234]]",
        "number plate [[AB51 ABC]]",
        "номерний знак [[АА 1234 ВС]]",
    ),
    counter_examples=("7ABC123", "AB51 ABC", "plate 12", "plates of food"),
    sources=("Vienna Convention on Road Traffic, annex 2",),
)
