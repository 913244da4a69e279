"""Distinguishes secrets from placeholders (changeme, ${VAR}, xxxx, code that fetches a secret) and words."""

import re

from vestibule.detection.validation.checks import entropy_bits

_WORD = (
    r"change.?(?:me|it|this)|your[ _.-]?[a-z_-]*|my[ _.-]?(?:pass(?:word|wd)?|pwd|secrets?|tokens?|keys?)\d{0,4}|"
    r"examples?[a-z_-]*\d{0,4}|samples?|"
    r"dummy[a-z_-]*\d{0,4}|fake[a-z_-]*\d{0,4}|mock[a-z_-]*\d{0,4}|stub[a-z_-]*\d{0,4}|placeholder[a-z_-]*\d{0,4}|"
    r"todo|fixme|tbd|redacted|removed|hidden|masked|omitted|encrypted|"
    r"secured?|nothing|none|null|nil|nan|undefined|unset|default|true|false|yes|no|on|off|empty|required|optional|"
    r"any|object|string|str|bytes|int|text|value|blank|pass(?:word|wd|phrase|code)?s?\d{0,3}|pwd|passwort|"
    r"contrase(?:ñ|n)a|senha|hasło|wachtwoord|secrets?|tokens?|keys?|api[_-]?keys?|credentials?|user(?:name)?|login|"
    r"insert[a-z_-]*\d{0,4}|replace[a-z_-]*\d{0,4}|enter[a-z_-]*\d{0,4}|put\w*here|add\w*here|\w*_here|some[_-]?[a-z]*|test(?:ing|s)?|"
    r"testpass(?:word)?|demo|foo\w{0,4}|bar|baz|qux|abc|lorem|ipsum|n/?a|"
    r"username|password1?|pw|pass|basic|bearer|unknown|invalid|incorrect|wrong|missing|forgotten|expired|reset|"
    r"\.{2,}|-+|_+|\*+|#+|x+|\?+|=+"
)
_WORDS = re.compile(rf"(?:{_WORD})(?:[ _.-]+(?:{_WORD}|[a-z]{{1,12}})){{0,3}}[ .!?:*]*", re.IGNORECASE)
_REFERENCE = re.compile(
    r"\$\{?\w+\}?$|\$\w+[.\[>:-]|%\w+%$|@\w+@$|__\w+__$|\{[A-Za-z_. ]*\}$|<[^>]*>?$|\[[^\]]*\]$|\w+\(|"
    r"(?:os|process|env|environ|config|settings|self|this|secrets|vars?|params?|args|options|data|request|req|local|each|"
    r"vault|ssm|kms|aws-sm|op|secret|ref|arn|file|ssh-(?:rsa|ed25519)|Microsoft)[.:/]|"
    r"[A-Za-z_]+\.(?:get|env|read|load|password|token|key|secret)\w*$|(?:\.{0,2}/|~/|[A-Za-z]:\\)|https?://[^:@]*$"
)
_INNER_REFERENCE = re.compile(r"[$#@]\{|\$\(|\$\[|\{\{|\}\}|%\(|(?<![0-9A-Za-z])%[sd](?![0-9A-Za-z])|<%|&\w{1,8};")
# Truncated or masked.
_MASKED = re.compile(
    r"[*xX•#.…_E](?:(?<=\*)\*\*|(?<=[xX])[xX]{3}|(?<=•)••|(?<=#)###|(?<=\.)\.(?:\.|$)|(?<=…)|(?<=_)(?:PUT_|HERE)|(?<=E)XAMPLE)"
)
# One or two characters, repeated; a value of more different characters has no such run.
_REPEATED = re.compile(r"(..?)\1{5}", re.DOTALL)
_FEWEST_REPEATED = 5
_ROW_CHARS = 5
_ROWS = frozenset(
    row[at : at + _ROW_CHARS]
    for row in (
        "01234567890123456",
        "98765432109876543",
        "abcdefghijklmnopqrstuvwxyzabcde",
        "qwertyuiopasdfghjklzxcvbnm",
        "a1b2c3d4e5f6g7h8i9j0",
        "deadbeefdeadbeefcafebabecafebabe",
    )
    for at in range(len(row) - _ROW_CHARS + 1)
)
# Only this much of a long value is read.
_READ_CHARS = 120
_SHORTEST_CHARS = 8
_LETTERS_ALONE_CHARS = 20
# The pairs of letters that make up most of the text in languages with Latin script.
_PAIRS = (
    "th he in er an re nd on en at ou ed ha to or it is hi es ng st te ar se nt ti al le ve me ea ne as de "
    "co ro ra io ic li ce ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc "
    "et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os "
    "iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke ui oo ag ap ck sp pu pi da ba "
    "bo bi ds do ga gr go ef ei ep fa fr ff ft gi gn gu hr ip ks lu ki ls lt mm nk nn pp rc rd rm rn rk rr "
    "rv sc sk sw tt ub uc ud ue up va vo ys ye yo cl cr cu du dr au av br bu ak ob oc od of oi eb ey"
)
_COMMON_PAIRS = frozenset(_PAIRS.split())
_LETTER_TO_DIGIT = re.compile(r"[A-Za-z][0-9]")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+")


def is_placeholder(value: str) -> bool:
    """Tell whether `value` is a placeholder for a secret."""
    value = _excerpt(value)
    if _is_repetitive(value) or _MASKED.search(value) or _WORDS.fullmatch(value) or is_sequence(value):
        return True
    return not value.isalnum() and (_REFERENCE.match(value) or _INNER_REFERENCE.search(value)) is not None


def _is_repetitive(value: str) -> bool:
    kinds = len(set(value))
    if kinds == 1:
        return len(value) > 2
    return kinds <= len(value) - _FEWEST_REPEATED and _REPEATED.search(value) is not None


def is_sequence(value: str) -> bool:
    """Tell whether much of `value` is a sequence: 123456789, abcdef, qwerty."""
    plain = value.lower()
    pieces = len(plain) - _ROW_CHARS + 1
    if pieces <= _ROW_CHARS:
        return False
    # Every second place is enough.
    return 5 * len([at for at in range(0, pieces, 2) if plain[at : at + _ROW_CHARS] in _ROWS]) > pieces


def is_made_of_words(value: str) -> bool:
    """Tell whether the letters of `value` are those of words rather than random ones."""
    value = _excerpt(value)
    # Words do not alternate between letters and digits this often.
    if len(_LETTER_TO_DIGIT.findall(value)) > max(2, len(value) // 14):
        return False
    pairs = common = letters = 0
    for run in _LETTERS.findall(value):
        letters += len(run)
        low = run.lower()
        pairs += len(low) - 1
        for at in range(len(low) - 1):
            common += low[at : at + 2] in _COMMON_PAIRS
    return pairs >= 4 and common >= 0.66 * pairs and 2 * letters > len(value)


def has_high_entropy(value: str) -> bool:
    """Tell random characters from padding, sequences and placeholders; for values of a distinctive form."""
    return entropy_bits(value) >= 2.5 and not is_placeholder(value)


def is_varied(value: str) -> bool:
    """Tell a number or a short key from padding and sequences."""
    return len(set(value)) >= 4 and not is_placeholder(value)


def is_random(value: str) -> bool:
    """Tell random characters from anything that people write: words, names, paths, numbers."""
    value = _excerpt(value)
    if value.isalpha() and (len(value) < _LETTERS_ALONE_CHARS or value.islower() or value.isupper()):
        return False
    if value.isdigit() or len(value) < _SHORTEST_CHARS:
        return False
    has_digit = _DIGIT.search(value) is not None
    if not has_digit and len(value) < _LETTERS_ALONE_CHARS:
        return False
    enough = 3.0 if len(value) >= 2 * _SHORTEST_CHARS else 2.7
    return entropy_bits(value) >= enough and not is_made_of_words(value) and not is_placeholder(value)


def _excerpt(value: str) -> str:
    return value if len(value) <= _READ_CHARS else value[: _READ_CHARS - 8] + value[-8:]
