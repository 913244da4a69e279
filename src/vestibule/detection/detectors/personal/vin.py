"""Vehicle identification numbers."""

from vestibule.detection.detectors.national_ids import labelled
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum

_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_vin(value: str) -> bool:
    """Check the ninth character, which North America and China ask for. Source: 49 CFR 565.15."""
    code = value.upper()
    rest = weighted_sum("".join(_VALUES.get(char, char) for char in code), _WEIGHTS) % 11
    has_both = any(char.isdigit() for char in code) and any(char.isalpha() for char in code)
    return has_both and code[8] == ("X" if rest == 10 else str(rest))


DETECTOR = Detector(
    entity="VIN",
    rules=(labelled("number", r"[A-HJ-NPR-Za-hj-npr-z0-9]{13}\d{4}", is_vin, is_sufficient_alone=True),),
    labels=(
        *("vin", "vin number", "vehicle identification number", "chassis number", "chassis no", "vehicle id"),
        *("fahrgestellnummer", "fahrzeugidentifikationsnummer", "fin nummer", "numéro de châssis", "bastidor"),
        *("número de bastidor", "telaio", "numero di telaio", "chassi", "número do chassi", "numer vin", "він код"),
        *("номер кузова", "vin код"),
    ),
    examples=("[[1HGCM82634A068957]]", "VIN: [[WVWZZZ1K3AW197942]]", "chassis number [[WVWZZZ1K3AW197943]]"),
    counter_examples=("1HGCM82635A068957", "WVWZZZ1K3AW197943", "order 1HGCM82634A068957", "12345678901234567"),
    sources=("ISO 3779", "49 CFR 565"),
)
