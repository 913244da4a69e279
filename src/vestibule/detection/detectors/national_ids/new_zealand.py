"""New Zealand: tax (IRD) numbers, passports and driver licences."""

from vestibule.detection.detectors.national_ids import Standard, driving_licence, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="NZ_IRD",
        rules=(labelled("grouped", r"\d{2,3}[- ]?\d{3}[- ]?\d{3}", Standard("nz.ird")),),
        labels=(
            "ird",
            "ird number",
            "ird no",
            "inland revenue number",
        ),
        examples=(
            "IRD number: [[53-964-095]]",
            "IRD [[13413827]]",
        ),
        counter_examples=(
            "53-964-095",
            "order 13413827",
        ),
        sources=(
            "https://www.ird.govt.nz/",
            "python-stdnum, stdnum.nz.ird",
        ),
    ),
    passport("NZ", "new zealand", r"[A-Z]{1,2}\d{6}", "LA123456", words=("nz passport",)),
    driving_licence(
        "NZ",
        "new zealand",
        r"[A-Z]{2}\d{6}",
        "DB123456",
        words=(
            "nz driver licence",
            "nz licence",
        ),
        sources=("https://www.nzta.govt.nz/",),
    ),
)
