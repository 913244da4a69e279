"""Luxembourg: national identification numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, is_date, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import passes_luhn

_VERHOEFF = Standard("verhoeff")


def is_matricule(value: str) -> bool:
    """Check the date of birth and both check digits: one by Luhn, one by Verhoeff, each over the first eleven."""
    is_born = is_date(int(value[:4]), int(value[4:6]), int(value[6:8]))
    return is_born and passes_luhn(value[:12]) and _VERHOEFF(value[:11] + value[12])


DETECTORS = (
    Detector(
        entity="LU_NATIONAL_ID",
        # Date of birth and two check digits.
        rules=(labelled("bare", r"(?:19|20)\d{2}[01]\d[0-3]\d{6}", is_matricule, is_sufficient_alone=True),),
        labels=(
            "matricule",
            "numéro d'identification national",
            "matricule national",
        ),
        examples=(
            "[[1984061548589]]",
            "matricule: [[1984061535388]]",
        ),
        counter_examples=(
            "1984061548580",
            "commande 1984061548589",
        ),
        sources=("Loi du 19 juin 2013 relative à l'identification des personnes physiques",),
    ),
    passport("LU", "luxembourgish", r"[A-Z][A-Z0-9]{6,7}\d", "JC5KY3R8"),
)
