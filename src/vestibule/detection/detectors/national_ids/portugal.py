"""Portugal: tax numbers, citizen cards, social security numbers and passports."""

from vestibule.detection.detectors.national_ids import (
    NATIONAL_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector

DETECTORS = (
    Detector(
        entity="PT_NIF",
        rules=(labelled("bare", r"(?:PT)?[1-35689]\d{2} ?\d{3} ?\d{3}", Standard("pt.nif")),),
        labels=(
            "nif",
            "contribuinte",
            "número de contribuinte",
            "nipc",
            "número de identificação fiscal",
        ),
        examples=(
            "NIF: [[206642750]]",
            "contribuinte [[209 013 958]]",
        ),
        counter_examples=(
            "206642750",
            "encomenda 206642750",
        ),
        sources=(
            "https://www.portaldasfinancas.gov.pt/",
            "python-stdnum, stdnum.pt.nif",
        ),
    ),
    Detector(
        entity="PT_CC",
        rules=(standing("card", r"\d{8} ?\d ?[A-Z]{2}\d", Standard("pt.cc"), score=0.65),),
        labels=(
            "cartão de cidadão",
            "cartão do cidadão",
            "cartao de cidadao",
            "bilhete de identidade",
            *NATIONAL_WORDS,
        ),
        examples=(
            "[[08303221 4 GB6]]",
            "cartão de cidadão [[167160868SB2]]",
        ),
        counter_examples=("08303221 4 GB7",),
        sources=(
            "https://www.autenticacao.gov.pt/",
            "python-stdnum, stdnum.pt.cc",
        ),
    ),
    Detector(
        entity="PT_NISS",
        rules=(labelled("bare", r"[12]\d{10}"),),
        labels=(
            "niss",
            "segurança social",
            "número de segurança social",
            "seguranca social",
        ),
        examples=("NISS: [[12345678901]]",),
        counter_examples=("12345678901",),
        sources=("https://www.seg-social.pt/",),
    ),
    passport(
        "PT",
        "portuguese",
        r"[A-Z]{1,2}\d{6}",
        "CA123456",
        words=(
            "passaporte",
            "passaporte português",
        ),
    ),
    driving_licence(
        "PT",
        "portuguese",
        r"[A-Z]{1,2}-?\d{5,7}(?: \d)?",
        "L-1234567",
        words=(
            "carta de condução",
            "carta de conducao",
        ),
        sources=("https://www.imt-ip.pt/",),
    ),
)
