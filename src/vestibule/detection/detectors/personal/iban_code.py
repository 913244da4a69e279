"""International bank account numbers."""

from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import compact, passes_mod97

# Length by country. Source: SWIFT IBAN Registry.
_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "FR GR IT MC MR SM BI DJ",
        28: "AL AZ BY CY DO GT HU LB PL SV NI HN",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def is_iban(value: str) -> bool:
    """Check the country, its length and the check digits. Source: ISO 13616-1."""
    account = compact(value)
    return _LENGTHS.get(account[:2]) == len(account) and passes_mod97(account[4:] + account[:4])


def _length_of(country: str, length: int) -> str:
    full, rest = divmod(length - 4, 4)
    grouped = rf"(?:[ -]?[0-9A-Z]{{4}}){{{full}}}" + (rf"[ -]?[0-9A-Z]{{{rest}}}" if rest else "")
    return rf"{country}\d{{2}}{grouped}"


_SEPARATOR = r"(?:[._]|  |\r?\n)"


def _separated(country: str, length: int) -> str:
    full, rest = divmod(length - 4, 4)
    groups = rf"(?:{_SEPARATOR}[0-9A-Z]{{4}}){{{full}}}" + (rf"{_SEPARATOR}[0-9A-Z]{{{rest}}}" if rest else "")
    return rf"{country}\d{{2}}{groups}"


_SEPARATED = "|".join(_separated(country, length) for country, length in sorted(_LENGTHS.items()))
_COUNTRIES = "|".join(_length_of(country, length) for country, length in sorted(_LENGTHS.items()))
_BARE = "|".join(rf"{country}\d{{2}}[0-9A-Z]{{{length - 4}}}" for country, length in sorted(_LENGTHS.items()))

DETECTOR = Detector(
    entity="IBAN_CODE",
    rules=(
        Rule(
            name="number",
            pattern=_COUNTRIES,
            prefilter=rf"(?:{'|'.join(sorted(_LENGTHS))})\d{{2}}[ -]?[0-9A-Z]{{4}}[ -]?[0-9A-Z]{{4}}[ -]?[0-9A-Z]",
            score=0.95,
            check=is_iban,
            broken_score=0.05,
            fewest_digits=4,
            ignore_case=True,
        ),
        Rule(
            name="separated",
            pattern=_SEPARATED,
            prefilter=rf"[A-Z]{{2}}\d\d{_SEPARATOR}[0-9A-Z]{{4}}{_SEPARATOR}",
            score=0.95,
            check=is_iban,
            fewest_digits=4,
        ),
        Rule(
            name="camel-case",
            pattern=rf"[a-z](?P<value>{_BARE})",
            prefilter=rf"[a-z](?:{'|'.join(sorted(_LENGTHS))})\d\d[0-9A-Z]{{4}}",
            score=0.95,
            check=is_iban,
            fewest_digits=4,
            not_after="",
            not_before="0-9A-Z",
        ),
        Rule(
            name="glued",
            pattern=rf"(?:iban|konto|account|acct|cuenta|compte)[:=_]?(?P<value>{_COUNTRIES})",
            prefilter=r"(?:iban|konto|account|acct|cuenta|compte)[:=_]?[A-Z]{2}\d\d",
            score=0.95,
            check=is_iban,
            fewest_digits=4,
            not_after="",
            not_before="0-9",
            ignore_case=True,
        ),
    ),
    labels=(
        "iban",
        "bank account",
        "account",
        "account number",
        "konto*",
        "cuenta",
        "compte",
        "conto",
        "conta",
        "rekening*",
        "рахунок",
    ),
    examples=(
        "[[GB82 WEST 1234 5698 7654 32]]",
        "[[DE89370400440532013000]]",
        "iban: [[fr14 2004 1010 0505 0001 3m02 606]]",
        "IBAN [[DE89370400440532013001]]",
        "to [[DE89.3704.0044.0532.0130.00]]",
        "to [[GB82  WEST  1234  5698  7654  32]]",
        "to [[DE89\n3704\n0044\n0532\n0130\n00]]",
        "to [[GB82_WEST_1234_5698_7654_32]]",
        "payroll[[DE89370400440532013000]]x",
        "meinKonto[[DE89370400440532013000]] und IBAN[[DE89370400440532013000]]EUR",
    ),
    counter_examples=(
        "GB82 WEST 1234 5698 7654 33",
        "ab12cd34ef56ab12cd34ef56",
        "XX12 3456 7890 1234 5678",
        "GB82.WEST.1234.5698.7654.33",
        "payrollDE89370400440532013001",
        "XDE89370400440532013000",
    ),
    sources=("ISO 13616-1", "SWIFT IBAN Registry"),
)
