"""Brazil: CPF, CNPJ, PIS, RG, driving licences (CNH) and passports."""

from vestibule.detection.detectors.national_ids import (
    TAX_WORDS,
    Standard,
    driving_licence,
    labelled,
    passport,
    standing,
)
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, is_one_digit_repeated, weighted_sum

_TAXPAYER = Standard("br.cpf")
_CNPJ = Standard("br.cnpj")


def is_cpf(value: str) -> bool:
    """Check the last two digits. One digit repeated eleven times passes the check and is never issued."""
    return not is_one_digit_repeated(digits_of(value)) and _TAXPAYER(value)


def is_pis(value: str) -> bool:
    """Check the last digit: weights 3 2 9 8 7 6 5 4 3 2, modulo 11."""
    digits = digits_of(value)
    rest = weighted_sum(digits, (3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return int(digits[10]) == (11 - rest if rest > 1 else 0) and not is_one_digit_repeated(digits)


def is_cnh(value: str) -> bool:
    """Check the two last digits of a driving licence. Source: Denatran, Resolução 192/2006."""
    digits = digits_of(value)
    first = weighted_sum(digits, (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11
    discount = 2 if first > 9 else 0
    second = (weighted_sum(digits, (1, 2, 3, 4, 5, 6, 7, 8, 9)) % 11) - discount
    second = second + 11 if second < 0 else second
    return (first % 10 if first < 10 else 0, second if second < 10 else 0) == (int(digits[9]), int(digits[10]))


DETECTORS = (
    Detector(
        entity="BR_CPF",
        rules=(
            standing("dotted", r"\d{3}\.\d{3}\.\d{3}-\d{2}", is_cpf, score=0.7),
            # Two check digits.
            labelled("bare", r"\d{11}|\d{9}-\d{2}", is_cpf, is_sufficient_alone=True),
        ),
        labels=("cpf", "cadastro de pessoas físicas", "cadastro de pessoa física", *TAX_WORDS),
        examples=("[[870.749.368-12]]", "[[78477654204]]", "CPF: [[18121854130]]", "cpf [[870.749.368-13]]"),
        counter_examples=("870.749.368-13", "78477654205", "pedido 78477654204", "111.111.111-11"),
        sources=("https://www.gov.br/receitafederal/", "python-stdnum, stdnum.br.cpf"),
    ),
    Detector(
        entity="BR_CNPJ",
        rules=(
            standing("dotted", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", _CNPJ, score=0.7),
            labelled("bare", r"\d{14}", _CNPJ),
        ),
        labels=("cnpj", "cadastro nacional da pessoa jurídica", *TAX_WORDS),
        examples=("[[87.538.022/0001-98]]", "CNPJ [[33396812000157]]"),
        counter_examples=("87.538.022/0001-99", "33396812000157"),
        sources=("https://www.gov.br/receitafederal/", "python-stdnum, stdnum.br.cnpj"),
    ),
    Detector(
        entity="BR_PIS",
        rules=(
            standing("dotted", r"\d{3}\.\d{5}\.\d{2}-\d", is_pis),
            labelled("bare", r"\d{11}", is_pis),
        ),
        labels=("pis", "pasep", "pis/pasep"),
        examples=("[[120.56412.54-5]]", "PIS: [[12056412545]]"),
        counter_examples=("120.56412.54-8", "12056412545"),
        sources=("https://www.caixa.gov.br/",),
    ),
    Detector(
        entity="BR_RG",
        rules=(labelled("labelled", r"\d{1,2}\.\d{3}\.\d{3}-[\dX]|\d{7,9}-?[\dX]?", is_vague=True),),
        labels=("rg", "registro geral", "carteira de identidade"),
        examples=("RG: [[24.678.131-4]]", "registro geral [[246781314]]"),
        counter_examples=("24.678.131-4", "pedido 246781314"),
        sources=("https://www.gov.br/pt-br/servicos/obter-carteira-de-identidade",),
    ),
    driving_licence(
        "BR",
        "brazilian",
        r"\d{11}",
        "62472927637",
        words=("cnh", "carteira nacional de habilitação", "carteira de motorista", "habilitação"),
        check=is_cnh,
        sources=("Denatran, Resolução 192/2006",),
    ),
    passport("BR", "brazilian", r"[A-Z]{2}\d{6}", "YA123456", words=("passaporte brasileiro",)),
)
