"""Secrets that their name tells: drawn characters behind api_key, token, client_secret and the like."""

import re

from vestibule.detection.rule_builders import ASSIGNED, BLOCK, any_case_pattern, word_of_name
from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import entropy_bits
from vestibule.detection.validation.placeholders import is_placeholder, is_random, is_varied

_KEY_WORD = any_case_pattern(("keys?",))
_TOKEN_WORD = any_case_pattern(("tokens?",))
_TELLING = any_case_pattern(("keys?", "tokens?", "secrets?", "credentials?"))
# Names of settings that look like those of secrets and are none: matched so that nothing behind them is. The kind is a
# word of its own: `page_token` and `nextPageToken` are harmless, `homepage_token` and `adminToken` are not.
_HARMLESS_KEYS = (
    "public pub foreign primary cache sort partition row object s3 idempotency unique index composite natural hash "
    "group routing translation message map storage site publishable cursor page dedup deduplication dedupe short "
    "surrogate"
)
_HARMLESS_TOKENS = (
    "public sequence idempotency next page continuation pagination cursor sync resume marker start csrf xsrf "
    "authenticity cancellation bos eos pad unk mask stop max min num total input output prompt completion device push "
    "fcm"
)
_HARMLESS_PARTS = any_case_pattern(
    r"ids? names? types? ur[li]s? files? paths? length len size count expir\w{0,8} version hash arn alias "
    r"ring store board words? codes? frames? press up down pairs? space format algorithm usage index digest "
    r"fingerprint thumbprint budget limit used endpoint vault resolver manager service client provider ref"
)


HARMLESS = (
    f"{word_of_name(_HARMLESS_KEYS)}[_.-]{{0,2}}{_KEY_WORD}(?:[_-]?[Ii][Dd])?|{word_of_name(_HARMLESS_TOKENS)}[_.-]{{0,2}}{_TOKEN_WORD}|"
    rf"(?:[cx]srfmiddleware|[Pp]ublic[_-]?[Kk]ey[_-]?|[Rr]equest[_-]?[Vv]erification[_-]?){_TOKEN_WORD}|"
    rf"{_TELLING}[ _.-]?{_HARMLESS_PARTS}\b|[Aa]uthor(?:ity|ed|s)?\b"
)
_KEY = (
    any_case_pattern(
        "api app application access account auth client consumer customer deploy encrypt encryption enc "
        "decryption hmac jwt aes des license licence master private priv secret security sec service session "
        "shared signing signature sign subscription ssh token webhook write read admin root user integration "
        "management rest project server merchant developer dev prod ingest crypt salt"
    )
    + r"[ _.-]?[Kk](?:eys?|EYS?)"
)
_BARE_KEY = r"(?:^|[^a-zA-Z])[Kk](?:eys?|EYS?)"
_CAMEL_KEY = r"[a-z0-9](?:Keys?|KEYS?)"
_TOKEN = any_case_pattern(("tokens?", "jwt", "bearer", "access[ _-]?code"))
_SECRET = any_case_pattern(
    "secrets? credentials? creds auth salt nonce seed hmac private apikeys? client[_-]?id api access certificate cert"
)
_TOLD_BEFORE = r"(?:\s(?:is|was|to|of|for|ist|lautet|es|est|è|é|jest)|:)?\s[\"'`]?"
_TOLD = rf"{_TOLD_BEFORE}(?P<value>[\w.~+/=-]{{15,256}}[\w=])"
_HEAD = r"[A-Za-z0-9_+/$!#@.~=-][A-Za-z0-9_+/$!#@.~=%^*?-]{9}"
_VALUE = (
    r"(?P<value>[A-Za-z0-9_+/$!#@.~=-][A-Za-z0-9_+/$!#@.~=%^*?-]{9,512}[A-Za-z0-9_+/$=^@-]"
    r"(?:\.{2,3}|…|#{3,9}|\*{2,9})?)"
)
# Right behind the name, up to where a quotation mark may stand.
_SET = r"(?:[ :]{1,2}&?(?:[Ss]tr|[Ss]tring|text)\b)?[ \t]{0,3}[\"'`\])]{0,3}\s{0,4}[=.?+|<:-]{0,3}[=:>]\s{0,12}"
# In quotes a value may hold any sign.
_ASSIGNED_QUOTE = rf"[\w.-]{{0,30}}{_SET}[\"'`]"
_CAMEL_ASSIGNED = rf"{_SET}[\"'`(\[]{{0,3}}"
_QUOTED_HEAD = r"[^\s\"'`\\]{10}"
_QUOTED_VALUE = r"(?P<value>[^\s\"'`\\]{10,256})[\"'`]"
_SIGN = re.compile(r"[$#@!%&*?^~]")
# Formats, patterns, addresses and queries have signs too.
_NO_SECRET = re.compile(
    r"(?<![0-9A-Za-z])%[sdif@\d]|%[0-9A-F]{2}.*%[0-9A-F]{2}|#\w{2,24}#|://|[?&][\w.-]{1,30}=|@[\w-]{2,30}\.[a-z]{2}|::|[?*+]\?|\.\*|\^.*\$|[|:].*[|:]|\|\|"
)
# A name of two words and more: `acme_api_key`, `plumoToken`.
_VENDOR_NAME = (
    r"(?:[a-z]{3,20}[_.-]?(?:[a-z]{2,10}[_.-]?)?(?:Api|API|api|Secret|secret|Access|access)?[_.-]?"
    r"(?:Key|key|Token|token|Secret|secret)|[A-Z]{3,20}_(?:[A-Z]{2,10}_)?(?:KEY|TOKEN|SECRET))"
)
_DOTTED = re.compile(r"[a-z]\.[A-Za-z]|\.[a-z]{2,4}$")
# Commands that set a variable of the environment without a sign of equality.
_SETS_VARIABLE = r"(?:\b(?:ENV|setx|setenv|set -[a-zA-Z]{1,3})|#[ \t]{0,3}define)[ \t]{1,3}"
_MANY_SIGNS = 4
# Formats, patterns and code have brackets, commas and semicolons; drawn characters have all kinds of signs besides.
_BRACKET = re.compile(r"[<>(){}\[\],;]")
_CODE = re.compile(
    r"\w\(\)|\(\?|\[\^|\[\w-\w|[$#@%]\{|\$\(|%\(|\{\{|\{\}|\{\w{2,}\}|</?[a-zA-Z]{2}[^<>]*>|\w[,;]\w{3}|=>|->|==|[a-z]{3}\+|\+\+"
)
_FEWEST_SIGNS = 4
_NO_LETTER = re.compile(r"[^\w.-]")
_ENCODED = re.compile(r"%[0-9A-F]{2}.*%[0-9A-F]{2}")
_MOMENT = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d[T_]")
_TIME = re.compile(r"1[4-9]\d{14}(?:\d{3})?$|20[0-4]\d[01]\d[0-3]\d[0-2]\d")
_PIECE = re.compile("[A-Za-z0-9]+")
_HEX = frozenset("0123456789abcdef-")


def is_random_and_no_digest(value: str) -> bool:
    """Tell a drawn value from a UUID, a checksum, and words and numbers in a row, which many harmless keys are."""
    if len(value) < 16 or not is_random(value) or entropy_bits(value) < 3.4 or _HEX.issuperset(value.lower()):
        return False
    pieces = _PIECE.findall(value)
    return len(pieces) < 4 or 2 * sum(piece.isalpha() or piece.isdigit() for piece in pieces) < len(pieces)


def is_random_and_no_url(value: str) -> bool:
    """Tell a drawn value from what is encoded for a URL, and from a moment."""
    return is_random(value) and not _MOMENT.match(value) and ("%" not in value or not _ENCODED.search(value))


def is_random_key(value: str) -> bool:
    """Tell a drawn value from the name of a file, a type or a field as well."""
    has_digit = any(char.isdigit() for char in value)
    return has_digit and len(value) >= 20 and is_random_and_no_digest(value) and not _DOTTED.search(value)


def is_random_with_signs(value: str) -> bool:
    """Tell drawn characters, among them signs such as $ and #, from a format, a pattern, a path and words."""
    if not _SIGN.search(value) or _NO_SECRET.search(value):
        return False
    if _BRACKET.search(value):
        signs = len(set(_NO_LETTER.findall(value)))
        is_one_case = value in {value.lower(), value.upper()}
        if signs < _FEWEST_SIGNS + 2 * is_one_case or _CODE.search(value):
            return False
    has_both = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    if not has_both or entropy_bits(value) < 3.2:
        return False
    # Letters between many signs may look like parts of words by chance.
    return not is_placeholder(value) if len(_SIGN.findall(value)) >= _MANY_SIGNS else is_random(value)


def is_drawn_number(value: str) -> bool:
    """Tell drawn digits from a time in micro- or nanoseconds, a date with its time and a sequence."""
    return not _TIME.match(value) and entropy_bits(value) >= 2.5 and is_varied(value)


def is_told_secret(value: str) -> bool:
    """Accept only values that are too random to be words of a sentence."""
    has_both = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return has_both and is_random(value) and entropy_bits(value) >= 3.2


def _assigned(name: str, words: str, prefilter: str | None = None) -> Rule:
    return Rule(
        name=name,
        pattern=f"(?:{HARMLESS}|{words}{ASSIGNED}{BLOCK}{_VALUE})",
        prefilter=f"(?:{prefilter or words}){ASSIGNED}{BLOCK}{_HEAD}",
        opening=f"{HARMLESS}|{words}",
        score=0.88,
        check=is_random_and_no_url,
        not_after="",
        not_before=r"\w(",
    )


def _assigned_quoted(name: str, words: str, prefilter: str | None = None) -> Rule:
    return Rule(
        name=name,
        pattern=f"(?:{HARMLESS}|{words}{_ASSIGNED_QUOTE}{_QUOTED_VALUE})",
        prefilter=f"(?:{prefilter or words}){_ASSIGNED_QUOTE}{_QUOTED_HEAD}",
        opening=f"{HARMLESS}|{words}",
        score=0.88,
        check=is_random_with_signs,
        not_after="",
        not_before="",
    )


def _told(name: str, words: str) -> Rule:
    return Rule(
        name=name,
        pattern=rf"(?:(?:next|page|sync|cursor|continuation|pagination|[cx]srf)[ -]tokens?|(?:{words}){_TOLD})",
        prefilter=rf"(?:{words}){_TOLD_BEFORE}[\w.~+/=-]{{15}}",
        score=0.86,
        check=is_told_secret,
        not_before=r"\w(/",
        ignore_case=True,
    )


_API_KEY = Detector(
    entity="API_KEY",
    rules=(
        _assigned("assigned-key", _KEY, prefilter="[Kk](?:eys?|EYS?)"),
        _assigned_quoted("assigned-key-with-signs", _KEY, prefilter="[Kk](?:eys?|EYS?)"),
        Rule(
            name="assigned-number",
            pattern=f"(?:{HARMLESS}|{_VENDOR_NAME}{ASSIGNED}(?P<value>[0-9]{{15,64}}))",
            prefilter=f"(?:[Kk]ey|[Tt]oken|[Ss]ecret|KEY|TOKEN|SECRET){ASSIGNED}[0-9]{{15}}",
            opening=f"{HARMLESS}|{_VENDOR_NAME}",
            score=0.86,
            check=is_drawn_number,
            not_after="",
            not_before=r"\w.",
        ),
        Rule(
            name="assigned-bare-key",
            pattern=f"(?:[^a-zA-Z]?(?:{HARMLESS})|{_BARE_KEY}{ASSIGNED}{_VALUE})",
            prefilter=f"[Kk](?:eys?|EYS?){ASSIGNED}{_HEAD}",
            score=0.86,
            check=is_random_and_no_digest,
            not_after="",
            not_before=r"\w(",
        ),
        _assigned_quoted("assigned-bare-key-with-signs", _BARE_KEY, prefilter="[Kk](?:eys?|EYS?)"),
        Rule(
            name="assigned-camel-key",
            pattern=f"(?:{HARMLESS}|{_CAMEL_KEY}{_CAMEL_ASSIGNED}{_VALUE})",
            prefilter=f"{_CAMEL_KEY}{_CAMEL_ASSIGNED}{_HEAD}",
            opening=f"{HARMLESS}|{_CAMEL_KEY}",
            score=0.86,
            check=is_random_key,
            not_after="",
            not_before=r"\w(",
        ),
        _told(
            "told-key",
            r"(?:api|access|secret|private|license|auth|master|encryption|account|service) ?keys?|"
            r"clave|clé|chiave|klucz|ключ|schlüssel",
        ),
    ),
    examples=(
        'api_key = "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"',
        '{"apiKey": "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"}',
        "key = [[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        "the api key is [[q7Lw2Zk9Rt4Xv1Bn8Mc3]], keep it",
        '"acmeKey": "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"',
        'signing_key: "[[aB$9#xQ!2m&Lk^7z]]"',
        "key = '[[0c6oRypxz8hb4qov&X73x*26]]'",
        "SECRET_KEY = '[[k2#n!v8@$p)x(4&z*q^1m-w=e_r+t7y]]'",
        "acme_api_key=[[985262275722296532841967]]",
        "s3_access_key: [[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
    ),
    counter_examples=(
        "api_key = your_api_key_here",
        'primary_key = "q7Lw2Zk9Rt4Xv1Bn8Mc3"',
        "api_key: ${API_KEY}",
        "api_key=xxxxxxxxxxxxxxxxxxxx",
        "key = 8f14e45fceea167a5a36dedd4bea2543",
        "apiKey: process.env.API_KEY",
        "key=1234567890abcdef",
        "key='Ctrl+Shift+[F5],Alt+{X}!'",
        "order_key = 20241130123456123",
        "spanToken: 1714555321000123456",
        '"sortKey": "q7Lw2Zk9Rt4Xv1Bn8Mc3"',
        '"keyId": "q7Lw2Zk9Rt4Xv1Bn8Mc3"',
        "public_key_id=q7Lw2Zk9Rt4Xv1Bn8Mc3",
        '{"name": "primary_key", "value": "q7Lw2Zk9Rt4Xv1Bn8Mc3"}',
        '"buildKey": "linux-x86_64-release-2024-11-30-main"',
    ),
    sources=("CWE-798: use of hard-coded credentials",),
)
_ACCESS_TOKEN = Detector(
    entity="ACCESS_TOKEN",
    rules=(
        _assigned("assigned-token", _TOKEN),
        _assigned_quoted("assigned-token-with-signs", _TOKEN),
        _told("told-token", r"tokens?"),
        Rule(
            name="environment",
            pattern=(
                rf"{_SETS_VARIABLE}(?:\w{{0,40}}?(?:{HARMLESS})|[A-Z][A-Z0-9_]{{0,40}}?(?:TOKEN|SECRET|KEY|CREDENTIALS?)"
                r"[ \t]{1,8}[\"']?(?P<value>[\w.+/=-]{16,512}))"
            ),
            prefilter=rf"{_SETS_VARIABLE}\w",
            score=0.88,
            check=is_random_and_no_digest,
            not_after="",
        ),
    ),
    examples=(
        "export BUILD_TOKEN=[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        "<token>[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]</token>",
        "use the token [[q7Lw2Zk9Rt4Xv1Bn8Mc3]] for now",
        "export ADMIN_TOKEN=[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        'daemonToken: "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"',
        "homepage_token=[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        "ENV ADMIN_TOKEN [[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        '#define UPLOAD_SECRET "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"',
        "token = '[[aB$9#xQ!2m&Lk^7z]]'",
        "token = '[[v&Y8*(kd)2=Lw%Tq4]]'",
        'token = "[[m!N2~b|V5<c>X8?z,]]"',
    ),
    counter_examples=(
        "token = get_token(request)",
        "next_page_token=q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "xsrf-token: q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "the sync token q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "token=https%3A%2F%2Fq7Lw2Zk9Rt4Xv1Bn8Mc3",
        '"nextPageToken": "q7Lw2Zk9Rt4Xv1Bn8Mc3"',
        '<input name="__RequestVerificationToken" value="q7Lw2Zk9Rt4Xv1Bn8Mc3">',
        '<input name="csrfmiddlewaretoken" value="q7Lw2Zk9Rt4Xv1Bn8Mc3">',
        "ENV NEXT_PAGE_TOKEN q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "System, PublicKeyToken=b77a5c561934e089",
        "resume_token = q7Lw2Zk9Rt4Xv1Bn8Mc3",
        "token: string",
        "token = 'f2py_#name#_of_#module1#_#part#'",
        "token = 'item-%s-of-%d-in-a1b2c3'",
        "token = '(?P<Name>[A-Z]*)!{1,3}$'",
        "token = '<%=User(3)%>&{Item}#7'",
        "token = 'https://example.org/?a1b2=c3d4#e5'",
        "the token is required",
    ),
    sources=("CWE-798: use of hard-coded credentials",),
)
_NAMED_SECRET = Detector(
    entity="SECRET",
    rules=(
        _assigned("assigned-secret", _SECRET),
        _assigned_quoted("assigned-secret-with-signs", _SECRET),
        _told("told-secret", r"secrets?|geheimnis|secreto|segreto|segredo|sekret|секрет"),
        Rule(
            name="stored-secret",
            pattern=r"<(?:secret|password|token|privateKey|apiKey)[^<>]{0,60}>\s{0,8}\{?(?:[^<>\s{}]{1,40}\s){0,3}(?P<value>[\w.+/=-]{16,512})\}?\s{0,8}</",
            prefilter=r"<(?:secret|password|token|privateKey|apiKey)[^<>]{0,60}>\s{0,8}\{?[^<>\s{}]",
            score=0.88,
            check=is_random,
            not_before="",
            not_after="",
        ),
    ),
    examples=(
        "client_secret: '[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]'",
        "the secret [[q7Lw2Zk9Rt4Xv1Bn8Mc3]] is out",
        "storage_secret=[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        'webhook_secret = "[[aB$9#xQ!2m&Lk^7z]]"',
        "S3_SECRET=[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]",
        'pageSecret: "[[q7Lw2Zk9Rt4Xv1Bn8Mc3]]"',
        "<secret>{AQAAABAAAAAQ [[q7Lw2Zk9Rt4Xv1Bn8Mc3q7Lw2Zk9]]}</secret>",
    ),
    counter_examples=(
        "secret = os.environ['X']",
        'AuthenticationInstant="2002-04-18T16:56:54Z"',
        "client_secret: <your-secret>",
        "secret_name = q7Lw2Zk9Rt4Xv1Bn8Mc3",
    ),
    sources=("CWE-798: use of hard-coded credentials", "https://www.jenkins.io/doc/book/using/using-credentials/"),
)
DETECTORS = (_API_KEY, _ACCESS_TOKEN, _NAMED_SECRET)
