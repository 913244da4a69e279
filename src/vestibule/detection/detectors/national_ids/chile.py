"""Chile: RUN/RUT numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

_RUT = Standard("cl.rut")

DETECTORS = (
    Detector(
        entity="CL_RUT",
        rules=(
            standing("dotted", r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", _RUT),
            labelled("dashed", r"\d{7,8}-[\dKk]", _RUT, is_sufficient_alone=True),
            labelled("bare", r"\d{7,8}[\dKk]", _RUT),
        ),
        labels=(
            "rut",
            "rol único tributario",
            "rol único nacional",
            "cédula de identidad",
            *NATIONAL_WORDS,
            *TAX_WORDS,
        ),
        examples=("[[11.833.028-5]]", "[[15524609-K]]", "RUT: [[149516425]]"),
        counter_examples=("11.833.028-6", "15524609-1", "149516425"),
        sources=("https://www.registrocivil.cl/", "python-stdnum, stdnum.cl.rut"),
    ),
    passport("CL", "chilean", r"[A-Z]\d{8}|\d{9}", "F12345678", words=("pasaporte chileno",)),
)
