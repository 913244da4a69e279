"""Argentina: CUIT/CUIL tax numbers, identity cards (DNI) and passports."""

from vestibule.detection.detectors.national_ids import TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_CUIT = Standard("ar.cuit")

DETECTORS = (
    Detector(
        entity="AR_CUIT",
        rules=(
            standing("dashed", r"(?:2[03-7]|3[034])-\d{8}-\d", _CUIT),
            labelled("bare", r"(?:2[03-7]|3[034])\d{9}", _CUIT),
        ),
        labels=("cuit", "cuil", "clave única de identificación tributaria", *TAX_WORDS),
        examples=("[[20-08301661-3]]", "CUIT: [[20571177774]]", "CUIL [[20-08301661-4]]"),
        counter_examples=("20-08301661-4", "20571177774", "pedido 20-08301661-3"),
        sources=("https://www.arca.gob.ar/", "python-stdnum, stdnum.ar.cuit"),
    ),
    Detector(
        entity="AR_DNI",
        rules=(labelled("labelled", r"\d{1,2}\.\d{3}\.\d{3}|\d{7,8}"),),
        labels=("dni", "documento nacional de identidad", "documento de identidad"),
        examples=("DNI: [[20.123.456]]", "documento nacional de identidad [[20123456]]"),
        counter_examples=("20.123.456", "total 20123456"),
        sources=("https://www.argentina.gob.ar/interior/renaper", "python-stdnum, stdnum.ar.dni"),
    ),
    passport("AR", "argentine", r"[A-Z]{3}\d{6}", "AAF123456", words=("pasaporte argentino",)),
)
