"""Malaysia: identity cards (MyKad) and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="MY_NRIC",
        # Date and place of birth.
        rules=(
            standing("dashed", r"\d{2}[01]\d[0-3]\d-\d{2}-\d{4}", Standard("my.nric")),
            labelled("bare", r"\d{2}[01]\d[0-3]\d{7}", Standard("my.nric")),
        ),
        labels=(
            "nric",
            "mykad",
            "my kad",
            "ic number",
            "no kad pengenalan",
            "kad pengenalan",
            "nombor kad pengenalan",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[840615-14-5248]]",
            "MyKad: [[840615140911]]",
        ),
        counter_examples=(
            "841315-14-5248",
            "840615140911",
        ),
        sources=(
            "https://www.jpn.gov.my/",
            "python-stdnum, stdnum.my.nric",
        ),
    ),
    passport("MY", "malaysian", r"[AHK]\d{8}", "A12345678", words=("pasport",)),
)
