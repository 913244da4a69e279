"""Serbia and the other states that were Yugoslavia: citizens' master numbers (JMBG)."""

from vestibule.detection.detectors.national_ids import Standard, is_date, labelled, passport
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import weighted_sum


def is_jmbg(value: str) -> bool:
    """Check the date of birth, of whose year the last three digits are given, and the last digit."""
    year = int(value[4:7])
    if value[7] == "5":
        return False  # Slovenia's, see there
    rest = 11 - weighted_sum(value, (7, 6, 5, 4, 3, 2) * 2) % 11
    is_born = is_date(year + (1000 if year > 899 else 2000), int(value[2:4]), int(value[:2]))
    return is_born and (rest if rest < 10 else 0) == int(value[12])


DETECTORS = (
    Detector(
        entity="RS_JMBG",
        # Date of birth, region and check digit.
        rules=(  # Not from the 15th to the 19th: such numbers may be moments in milliseconds.
            labelled("alone", r"(?:0[1-9]|1[0-4]|[23]\d)[01]\d[09]\d{8}", is_jmbg, is_sufficient_alone=True),
            labelled("bare", r"[0-3]\d[01]\d[09]\d{8}", is_jmbg),
        ),
        labels=(
            "jmbg",
            "јмбг",
            "matični broj",
            "jedinstveni matični broj građana",
            "матични број",
            "ембг",
        ),
        examples=(
            "JMBG: [[1506984715549]]",
            "[[1406984715552]]",
        ),
        counter_examples=(
            "1506984715957",
            "porudžbina 1506984715956",
        ),
        sources=("Zakon o jedinstvenom matičnom broju građana",),
    ),
    Detector(
        entity="RS_PIB",
        rules=(labelled("bare", r"[1-9]\d{8}", Standard("rs.pib")),),
        labels=(
            "pib",
            "пиб",
            "poreski identifikacioni broj",
        ),
        examples=("PIB: [[115535857]]",),
        counter_examples=("115535857",),
        sources=(
            "https://www.purs.gov.rs/",
            "python-stdnum, stdnum.rs.pib",
        ),
    ),
    passport(
        "RS",
        "serbian",
        r"\d{9}",
        "012345678",
        words=(
            "pasoš",
            "broj pasoša",
        ),
    ),
)
