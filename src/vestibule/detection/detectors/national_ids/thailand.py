"""Thailand: identity numbers and passports."""

from vestibule.detection.detectors.national_ids import NATIONAL_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="TH_TNIN",
        rules=(
            standing("dashed", r"[1-8]-\d{4}-\d{5}-\d{2}-\d", Standard("th.pin")),
            labelled("bare", r"[1-8]\d{12}", Standard("th.pin")),
        ),
        labels=(
            "เลขประจำตัวประชาชน",
            "เลขบัตรประชาชน",
            "บัตรประชาชน",
            "thai id",
            "thai national id",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[3-7932-78404-19-8]]",
            "เลขบัตรประชาชน [[3141700355418]]",
        ),
        counter_examples=(
            "3-7932-78404-19-9",
            "3141700355418",
            "order 3141700355418",
        ),
        sources=(
            "https://www.bora.dopa.go.th/",
            "python-stdnum, stdnum.th.pin",
        ),
    ),
    passport("TH", "thai", r"[A-Z]{1,2}\d{6,7}", "AA1234567", words=("หนังสือเดินทาง",)),
)
