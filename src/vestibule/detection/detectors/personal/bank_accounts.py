"""Local bank account numbers, with a label."""

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


DETECTORS = (
    Detector(
        entity="US_BANK_NUMBER",
        rules=(labelled("account", r"\d{8,17}", is_vague=True),),
        labels=(
            *("account", "account number", "account no", "acct", "acct no", "bank account", "checking account"),
            *("savings account", "checking", "savings", "a c no"),
        ),
        against=("user", "username", "login", "github", "twitter", "instagram", "email", "deployer", "balance"),
        examples=("bank account [[945456787654]]", "Account: [[7547030970]]"),
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
