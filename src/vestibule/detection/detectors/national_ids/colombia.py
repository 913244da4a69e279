"""Colombia: tax numbers (NIT), citizens' cards and passports."""

from vestibule.detection.detectors.national_ids import TAX_WORDS, Standard, labelled, passport, standing
from vestibule.detection.rules import Detector

_NIT = Standard("co.nit")

DETECTORS = (
    Detector(
        entity="CO_NIT",
        rules=(
            standing("dotted", r"\d{3}\.\d{3}\.\d{3}-\d", _NIT),
            labelled("bare", r"\d{9}-?\d", _NIT),
        ),
        labels=("nit", "número de identificación tributaria", "rut", *TAX_WORDS),
        examples=("[[220.912.761-9]]", "NIT: [[3242896701]]"),
        counter_examples=("220.912.761-8", "3242896701"),
        sources=("https://www.dian.gov.co/", "python-stdnum, stdnum.co.nit"),
    ),
    Detector(
        entity="CO_CEDULA",
        rules=(labelled("labelled", r"\d{1,3}(?:\.\d{3}){2,3}|\d{6,10}", is_vague=True),),
        labels=("cédula", "cédula de ciudadanía", "cedula de ciudadania", "cedula"),
        examples=("cédula de ciudadanía [[1.020.345.678]]", "cédula: [[52345678]]"),
        counter_examples=("1.020.345.678", "52345678"),
        sources=("https://www.registraduria.gov.co/",),
    ),
    passport("CO", "colombian", r"[A-Z]{2}\d{6}", "AR123456", words=("pasaporte colombiano",)),
)
