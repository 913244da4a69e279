"""Local bank account numbers, with a label."""

import re

from vestibule.detection.detectors.national_ids import Standard, labelled, standing
from vestibule.detection.rules import Detector
from vestibule.detection.validation.checks import digits_of, weighted_sum


def is_clabe(value: str) -> bool:
    """Check the last digit: each product of the weights 3 7 1 modulo 10."""
    digits = digits_of(value)
    total = sum(int(digit) * weight % 10 for digit, weight in zip(digits[:17], (3, 7, 1) * 6, strict=False))
    return (10 - total % 10) % 10 == int(digits[17])


def is_nuban(value: str) -> bool:
    """Tell ten digits that are not one over and over; the bank's code is not part of the number."""
    return weighted_sum(value, (1,) * 10) > 0 and len(set(value)) > 1


def is_not_date(value: str) -> bool:
    """Tell an account from a day written without separators."""
    return _DAY.fullmatch(value) is None


_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:\d{4}|\d{6})?")
_US_LABELS = (
    *("account number", "account no", "acct no", "acct number", "bank account", "bank acct", "checking account"),
    *(
        "savings account",
        "checking acct",
        "savings acct",
        "deposit account",
        "checking number",
        "savings number",
        "a c no",
    ),
)
_NO_ACCOUNTS = (
    *("user", "username", "login", "github", "twitter", "instagram", "email", "deployer", "balance"),
    *("aws", "iam", "arn", "cloud", "azure", "gcp", "account id", "subscription", "tenant"),
)

DETECTORS = (
    Detector(
        entity="US_BANK_NUMBER",
        rules=(labelled("account", r"\d{8,11}|\d{13,17}", is_not_date, is_strict=True, is_vague=True),),
        labels=("account", "acct", *_US_LABELS),
        against=_NO_ACCOUNTS,
        examples=("Account: [[7547030970]]", "acct [[75470309701234]]"),
        # The accounts of a cloud have twelve digits.
        counter_examples=(
            "7547030970",
            "order 7547030970",
            "account 20261129",
            '"account": "123456789012"',
            "AWS account 123456789012",
            "account 123456789012 is not authorized",
            "checking 20261129 files",
            "savings: 12345678 bytes",
        ),
        sources=("Nacha Operating Rules, appendix 3",),
    ),
    Detector(
        entity="US_BANK_NUMBER",
        rules=(labelled("labelled", r"\d{8,17}", is_vague=True),),
        labels=_US_LABELS,
        against=_NO_ACCOUNTS,
        examples=("bank account [[945456787654]]", "savings account: [[12345678]]"),
        counter_examples=("945456787654", "order 945456787654", "account balance 945456787654"),
        sources=("Nacha Operating Rules, appendix 3",),
    ),
    Detector(
        entity="BANK_ACCOUNT_NUMBER",
        rules=(
            labelled(
                "spain",
                r"\d{4} \d{4} \d{2} \d{10}|\d{4}(?:-\d{4}-\d{2}-)\d{10}",
                Standard("es.ccc"),
                is_sufficient_alone=True,
            ),
            labelled("spain-bare", r"\d{20}", Standard("es.ccc")),
            labelled("norway", r"\d{4}\.\d{2}\.\d{5}", Standard("no.kontonr")),
            labelled("new-zealand", r"\d{2}-\d{4}-\d{7}-\d{2,3}", Standard("nz.bankaccount")),
            labelled("czechia", r"(?:\d{2,6}-)?\d{6,10}/\d{4}", Standard("cz.bankaccount")),
            standing("mexico", r"\d{18}", is_clabe, score=0.25),
            labelled("nigeria", r"\d{10}", is_nuban, is_vague=True),
            labelled("labelled", r"\d{6,12}|\d{2}-\d{2}-\d{2} \d{8}|\d{2,8}(?:[ -]\d{2,10}){1,6}", is_vague=True),
        ),
        labels=(
            *("kontonummer", "kontonr", "konto nr", "konto", "número de cuenta", "cuenta bancaria", "ccc", "clabe"),
            *("numéro de compte", "compte bancaire", "rib", "conto corrente", "numero conto", "número da conta"),
            *("conta corrente", "conta bancária", "rekeningnummer", "bankrekening", "numer konta", "numer rachunku"),
            *(
                "rachunek bankowy",
                "číslo účtu",
                "рахунок номер",
                "номер рахунку",
                "номер счета",
                "розрахунковий рахунок",
            ),
            *("nuban", "sort code", "bank account number", "bsb"),
        ),
        examples=(
            "[[4548 3723 85 2567397484]]",
            "CCC [[45483723852567397484]]",
            "kontonummer [[3326.36.93448]]",
            "bank account number [[19-4620-4187821-90]]",
            "číslo účtu: [[34278-0727558021/0100]]",
            "CLABE: [[032180000118359719]]",
            "NUBAN [[0123456789]]",
            "Kontonummer: [[12345678]]",
        ),
        counter_examples=("3326.36.93448", "19-4620-4187821-90", "12345678", "032180000118359719", "0123456789/0100"),
        sources=("python-stdnum, stdnum.es.ccc", "Banco de México, Circular 3/2012"),
    ),
)
