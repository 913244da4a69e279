"""Ecuador: identity cards, tax numbers and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="EC_CEDULA",
        rules=(labelled("bare", r"[0-3]\d{9}|[0-3]\d{8}-\d", Standard("ec.ci")),),
        labels=(
            "cédula",
            "cedula",
            "cédula de identidad",
            "cédula de ciudadanía",
        ),
        examples=(
            "cédula de identidad [[1738282936]]",
            "cédula: [[170544735-5]]",
        ),
        counter_examples=(
            "1738282936",
            "pedido 1738282936",
        ),
        sources=(
            "https://www.registrocivil.gob.ec/",
            "python-stdnum, stdnum.ec.ci",
        ),
    ),
    Detector(
        entity="EC_RUC",
        rules=(labelled("bare", r"[0-3]\d{9}001", Standard("ec.ruc")),),
        labels=(
            "ruc",
            "registro único de contribuyentes",
        ),
        examples=("RUC: [[1720445731001]]",),
        counter_examples=("1720445731001",),
        sources=(
            "https://www.sri.gob.ec/",
            "python-stdnum, stdnum.ec.ruc",
        ),
    ),
    passport("EC", "ecuadorian", r"[A-Z]\d{7,8}", "A1234567", words=("pasaporte ecuatoriano",)),
)
