"""Estonia: personal codes and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="EE_PERSONAL_CODE",
        # Sex and century, date of birth, check digit.
        rules=(labelled("bare", r"[3-6]\d{2}[01]\d[0-3]\d{5}", Standard("ee.ik"), is_sufficient_alone=True),),
        labels=(
            "isikukood",
            "isikukoodi",
            "estonian personal code",
            "personal code",
        ),
        examples=(
            "[[38507085295]]",
            "isikukood: [[38507049908]]",
        ),
        counter_examples=(
            "38507085296",
            "order 38507085295",
        ),
        sources=(
            "https://www.siseministeerium.ee/",
            "python-stdnum, stdnum.ee.ik",
        ),
    ),
    passport(
        "EE",
        "estonian",
        r"[A-Z]{1,2}\d{7}",
        "KE1234567",
        words=(
            "passi number",
            "eesti pass",
        ),
    ),
)
