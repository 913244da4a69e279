"""Payment card numbers of every current scheme."""

import re

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import digits_of, is_one_digit_repeated, passes_luhn

# First digits (inclusive ranges) and lengths of the schemes.
_SCHEMES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("4", "4", (13, 16, 18, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard, 2-series
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16, 17, 18, 19)),  # Diners Club
    ("3095", "3095", (14, 16, 17, 18, 19)),
    ("36", "36", (14, 15, 16, 17, 18, 19)),
    ("38", "39", (14, 16, 17, 18, 19)),
    ("6011", "6011", (16, 17, 18, 19)),  # Discover
    ("644", "659", (16, 17, 18, 19)),
    ("3528", "3589", (15, 16, 17, 18, 19)),  # JCB
    ("2131", "2131", (15,)),
    ("1800", "1800", (15,)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "81", (16, 17, 18, 19)),
    ("50", "50", tuple(range(12, 20))),  # Maestro
    ("56", "58", tuple(range(12, 20))),
    ("60", "61", tuple(range(12, 20))),
    ("63", "64", tuple(range(12, 20))),
    ("66", "69", tuple(range(12, 20))),
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
    ("9792", "9792", (16,)),  # Troy
    ("1", "1", (15,)),  # UATP
)


# What most cards of the world look like; the rest shares its form with too many other numbers to stand alone.
_COMMON = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|(?:6011|64[4-9]\d|65\d\d|35\d\d|62\d\d|9792)\d{12}|"
    r"(?:1800|2131)\d{11}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{12}"
)


def is_card_number(value: str) -> bool:
    """Check the issuer's first digits, the length and the check digit. Source: ISO/IEC 7812-1."""
    digits = digits_of(value)
    return has_issuer(digits) and has_check_digit(digits)


def is_common_card_number(value: str) -> bool:
    """Check the same, and that the length is the one of nearly all cards of that scheme."""
    return _COMMON.fullmatch(digits_of(value)) is not None and is_card_number(value)


def has_common_issuer(value: str) -> bool:
    """Check the issuer's first digits and the length only: a label says the rest."""
    digits = digits_of(value)
    return _COMMON.fullmatch(digits) is not None and not is_one_digit_repeated(digits[4:])


def has_check_digit(value: str) -> bool:
    """Check the last digit; the rule is the same for every issuer."""
    return passes_luhn(value) and not is_one_digit_repeated(digits_of(value))


def has_issuer(digits: str) -> bool:
    """Tell whether a scheme issues numbers that begin so and are so long."""
    return any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _SCHEMES)


_GROUPED = r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}|3\d{3}([ -])\d{6}\2\d{4,5}"
# Separators of one kind throughout. The groups of a table or a list are numbers of their own unless a label names them.
_DOTTED = r"\d{4}([._/]| - )\d{4}\1\d{4}\1\d{4}|3[47]\d\d([._/])\d{6}\2\d{5}|\d{6}([ -])\d{4}\3\d{6}"
_SPREAD = r"\d{4}(?P<a>\s{1,3})\d{4}(?P=a)\d{4}(?P=a)\d{4}|3[47]\d\d(?P<b>\s{1,3})\d{6}(?P=b)\d{5}"
_NOT_AFTER, _NOT_BEFORE = r"\w.+-", r"\w-"

_CARD = Detector(
    entity="CREDIT_CARD",
    rules=(
        Rule(
            name="common",
            pattern=r"[1-69]\d{13,15}",
            score=0.6,
            check=is_common_card_number,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
        Rule(
            name="grouped",
            pattern=_GROUPED,
            prefilter=r"\d{4}[ -]\d{4}[ -]\d{4}[ -]\d|3\d{3}[ -]\d{6}[ -]\d{4}",
            score=0.7,
            check=is_card_number,
            proof=is_card_number,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
        Rule(
            name="dotted",
            pattern=_DOTTED,
            prefilter=r"\d{4}(?:[._/]| - )\d{4}(?:[._/]| - )\d{4}|3[47]\d\d[._/]\d{6}[._/]\d{5}"
            r"|\d{6}[ -]\d{4}[ -]\d{6}",
            score=0.6,
            check=is_common_card_number,
            proof=is_common_card_number,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
        Rule(
            name="spread",
            pattern=rf"(?:card|karte|carte|tarjeta|cart[aã]o?|kaart|karty|карт[аы]|visa|amex|pan|cc)\D{{1,30}}(?P<value>{_SPREAD})",
            prefilter=r"\d{4}(?:\s\s|[\t\n])\s?\d{4,6}(?:\s\s|[\t\n])",
            score=0.6,
            check=is_common_card_number,
            not_after="",
            not_before=_NOT_BEFORE,
            ignore_case=True,
        ),
        Rule(
            name="uncommon",
            pattern=r"(?:50(?:18|20|38)|5[6-8]\d\d|6304|6390|6759|676[1-3])\d{8}|4\d{12}(?:\d{6})?",
            score=0.3,
            alone_score=0.5,
            check=is_card_number,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
        Rule(
            name="labelled",
            pattern=r"\d{13,19}",
            score=0.2,
            check=has_check_digit,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
    ),
    labels=(
        *(
            "card",
            "cards",
            "credit card",
            "debit card",
            "card number",
            "card no",
            "cc",
            "ccn",
            "pan",
            "visa",
            "mastercard",
            "amex",
            "account",
            "account number",
            "acct",
        ),
        *("american express", "maestro", "discover", "diners", "jcb", "unionpay", "credit", "debit", "payment", "pay"),
        *(
            "kreditkarte*",
            "karte*",
            "tarjeta*",
            "carte",
            "carte bancaire",
            "carta",
            "carta di credito",
            "cartão",
            "kaart",
        ),
        *("creditcard*", "karta", "karty", "kartę", "картка", "картки", "картку", "карта", "карты"),
    ),
    against=("sim card", "sim", "iccid"),
    examples=(
        "total [[4539 6415 2677 6649]]",
        "seq [[4539.6415.2677.6649]]",
        "[[4111 1111 1111 1111]]",
        "card [[5555555555554444]] exp 12/29",
        "Mastercard 2-series: [[2221-0000-0000-0009]]",
        "[[630437314952]]",
        "[[3782 822463 10005]]",
        "card of 19 digits: [[6212345678900000003]]",
        "[[4111.1111.1111.1111]] and [[5555/5555/5555/4444]] or [[4111_1111_1111_1111]]",
        "[[5555 - 5555 - 5555 - 4444]]",
        "[[555555-5555-554444]]",
        "visa [[4111  1111  1111  1111]]",
        "card number [[5555\n5555\n5555\n4444]]",
    ),
    counter_examples=(
        "4111 1111 1111 1112",
        "order 4111111111111111",
        "order 4111 1111 1111 1112",
        "SIM card 8901410321111851072",
        "1732995089123",
        "0000 0000 0000 0000",
        "5555\n5555\n5555\n4444",
        "4111.1111.1111.1112",
    ),
    sources=("ISO/IEC 7812-1", "https://en.wikipedia.org/wiki/Payment_card_number"),
)
# What only the label of a card tells.
_LABELLED = Detector(
    entity="CREDIT_CARD",
    rules=(
        Rule(
            name="mistyped",
            pattern=r"\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -]?)\d{6}\2\d{5}",
            score=0.1,
            check=has_common_issuer,
            fewest_digits=15,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
        # The accounts of a cloud have twelve digits too, so that "account" is no label here.
        Rule(
            name="short",
            pattern=r"\d{12}",
            score=0.2,
            check=has_check_digit,
            not_after=_NOT_AFTER,
            not_before=_NOT_BEFORE,
        ),
    ),
    labels=(
        *("card", "credit card", "debit card", "card number", "card no", "cc", "ccn", "visa", "mastercard", "amex"),
        *("american express", "kreditkarte*", "tarjeta", "tarjeta de crédito", "carte bancaire", "carta di credito"),
        *("cartão de crédito", "creditcard*", "karta kredytowa", "номер карты", "номер картки"),
    ),
    against=("sim card", "sim", "iccid"),
    examples=(
        "card [[4539 6415 2677 6640]]",
        "credit card: [[5425233430109904]]",
        "Amex [[3782 822463 10006]]",
        "card [[060417590258]]",
    ),
    counter_examples=(
        "account 060417590258",
        "4539 6415 2677 6640",
        "order 4539641526776640",
        "card 1234 5678 1234 5678",
        "card 1732995089123456",
    ),
    sources=("ISO/IEC 7812-1",),
)
DETECTORS = (_CARD, _LABELLED)
