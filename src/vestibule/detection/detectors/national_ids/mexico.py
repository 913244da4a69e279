"""Mexico: CURP, RFC, voter keys, social security numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    TAX_WORDS,
    Standard,
    is_short_date,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import passes_luhn

_CURP = Standard("mx.curp")


def has_birth_date(value: str) -> bool:
    """Check the date in the last-but-three places of a person's RFC."""
    return is_short_date(value[-9:-7], value[-7:-5], value[-5:-3])


DETECTORS = (
    Detector(
        entity="MX_CURP",
        rules=(
            standing(
                "number",
                r"[A-Z][AEIOUX][A-Z]{2}\d{2}[01]\d[0-3]\d[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d",
                _CURP,
                score=0.8,
                prefilter=r"[A-Z][A-Z][A-Z][A-Z]\d\d[01]\d[0-3]\d[HMX][A-Z][A-Z][A-Z]",
                ignore_case=True,
            ),
        ),
        labels=("curp", "clave única de registro de población", *NATIONAL_WORDS),
        examples=("[[GOMC840615HDFMRR07]]", "CURP: [[GOMC840615HDFMRR08]]"),
        counter_examples=("GOMC840615HDFMRR08", "GOMC841515HDFMRR07"),
        sources=("https://www.gob.mx/curp/", "python-stdnum, stdnum.mx.curp"),
    ),
    Detector(
        entity="MX_RFC",
        rules=(
            standing("person", r"[A-ZÑ&][AEIOUX][A-ZÑ&]{2}\d{6}[A-Z0-9]{2}[0-9A]", has_birth_date, is_strict=True),
            labelled("company", r"[A-ZÑ&]{3}-?\d{6}-?[A-Z0-9]{2}[0-9A]", has_birth_date),
        ),
        labels=("rfc", "registro federal de contribuyentes", *TAX_WORDS),
        examples=("[[GOMC840615JC5]]", "RFC: [[ABC840615JC5]]"),
        counter_examples=("GOMC841315JC5", "ABC840615JC5"),
        sources=("https://www.sat.gob.mx/", "python-stdnum, stdnum.mx.rfc"),
    ),
    Detector(
        entity="MX_VOTER_KEY",
        rules=(standing("key", r"[A-Z]{6}\d{8}[HM]\d{3}", None, score=0.6),),
        labels=("clave de elector", "credencial para votar"),
        examples=("[[GMCRMR84061509H300]]",),
        counter_examples=("GMCRMR84061509X300",),
        sources=("https://www.ine.mx/",),
    ),
    Detector(
        entity="MX_NSS",
        rules=(labelled("bare", r"\d{11}|\d{2}-\d{2}-\d{2}-\d{4}-\d", passes_luhn),),
        labels=("nss", "imss", "número de seguridad social", "número de seguro social"),
        examples=("NSS: [[12345678903]]",),
        counter_examples=("12345678903",),
        sources=("https://www.imss.gob.mx/",),
    ),
    passport("MX", "mexican", r"[A-Z]\d{8}|\d{9}", "G12345678", words=("pasaporte mexicano",)),
)
