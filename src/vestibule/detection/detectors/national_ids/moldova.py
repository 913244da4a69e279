"""Moldova: identity numbers (IDNP) and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="MD_IDNP",
        rules=(labelled("bare", r"[012]\d{12}", Standard("md.idno")),),
        labels=(
            "idnp",
            "cod personal",
            "idno",
        ),
        examples=("IDNP: [[2024737862229]]",),
        counter_examples=("2024737862229",),
        sources=(
            "https://asp.gov.md/",
            "python-stdnum, stdnum.md.idno",
        ),
    ),
    passport("MD", "moldovan", r"[A-Z]{1,2}\d{7}", "AB1234567", words=("pașaport",)),
)
