"""Kenya: tax PINs, national IDs and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="KE_PIN",
        rules=(labelled("number", r"[AP]\d{9}[A-Z]", Standard("ke.pin")),),
        labels=(
            "kra pin",
            "kra",
            "pin number",
            "kenya pin",
        ),
        examples=("KRA PIN: [[A532183929W]]",),
        counter_examples=("A532183929W",),
        sources=(
            "https://www.kra.go.ke/",
            "python-stdnum, stdnum.ke.pin",
        ),
    ),
    passport("KE", "kenyan", r"[A-Z]{1,2}\d{6,7}", "AK0123456"),
)
