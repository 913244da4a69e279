"""Peru: identity cards (DNI), tax numbers (RUC) and passports."""

from vestibule.detection.detectors.national_ids import Standard, labelled, passport
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="PE_RUC",
        rules=(labelled("bare", r"(?:1[0567]|20)\d{9}", Standard("pe.ruc")),),
        labels=(
            "ruc",
            "registro único de contribuyentes",
        ),
        examples=("RUC: [[10337420503]]",),
        counter_examples=("10337420503",),
        sources=(
            "https://www.sunat.gob.pe/",
            "python-stdnum, stdnum.pe.ruc",
        ),
    ),
    Detector(
        entity="PE_DNI",
        rules=(labelled("labelled", r"\d{8}(?:-[\dA-Z])?"),),
        labels=(
            "dni",
            "documento nacional de identidad",
            "dni peruano",
        ),
        examples=("DNI peruano: [[40765432]]",),
        counter_examples=("40765432",),
        sources=("https://www.reniec.gob.pe/",),
    ),
    passport("PE", "peruvian", r"\d{9}|[A-Z]\d{6,8}", "123456789", words=("pasaporte peruano",)),
)
