"""Passwords: assigned, told in sentences, given to commands and stored in settings."""

import re

from vestibule.detection.rule_builders import any_case_pattern
from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import entropy_bits
from vestibule.detection.validation.placeholders import is_made_of_words, is_placeholder

# Latin, Cyrillic and Korean names, as they stand in settings and in sentences.
_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "pasword",
    "pwd",
    "pswd",
    "contraseña",
    "contrasena",
    "clave",
    "mot de passe",
    "motdepasse",
    "mdp",
    "parola",
    "senha",
    "palavra-passe",
    "wachtwoord",
    "hasło",
    "haslo",
    "пароль",
    "пароля",
    "пароль",
    "비밀번호",
    "암호",
)
_TALKED = any_case_pattern(
    (*map(re.escape, _NAMES), "pass ?word", "pass ?phrase", "pass ?code", "pin code", "login code")
)
_SET = rf"(?:{_TALKED}|\b(?:[A-Za-z]{{1,20}}[_.-])?[Pp][Ww]|(?:\b|[A-Za-z]{{2,20}}[_.-]?)[Pp](?:ass|ASS))"
_WORD = any_case_pattern(("passwords?", "passwd", "passphrase", "passcode", "pwd", "pass"))
# Names of settings that look like those of passwords and are none: matched so that nothing behind them is.
_HARMLESS_PARTS = any_case_pattern(
    r"hash hashed hasher encoder field input label hint policy reset length len min max file path url uri "
    r"type name id prompt placeholder regex pattern rules? error message text changed expires? strength "
    r"confirmation required through eports? aport[oe]s? ed ing ive enger ports? age word_?file count rate user nr "
    r"nummer number"
)
_HARMLESS_KINDS = any_case_pattern(
    "has is show hide reset forgot change update validate check verify no by com bi sur under over tres "
    "first second multi low high band"
)
_HARMLESS = (
    rf"[Rr]eise-?[Pp]ass[\w-]{{0,20}}|{_WORD}[ _.-]?{_HARMLESS_PARTS}\b|"
    rf"{_HARMLESS_KINDS}[_-]?[Pp](?:ass|ASS)(?:[Ww]ord|WORD)?\b"
)
_ASSIGN = r"[\"'\])]{0,3}\s{0,4}(?:=>|:{1,3}=|={1,2}|:|,\s?[\"']?[Vv]alue[\"']?\s?[:=]|\s?value=|<-|->)\s{0,4}"
_NAME_TAIL = r"[\w.-]{0,20}"
_NAME_SIGN = rf"(?:{_TALKED}|[Pp][Ww]|[Pp](?:ass|ASS))"
_NAME_PREFILTER = rf"{_NAME_SIGN}[\w.-]{{0,20}}[\"'\])]{{0,3}}\s{{0,4}}(?:=|:|,\s?[\"']?[Vv]alue|\s?value=|<-|->)"
_MARK = re.compile(r"[\d!@#$%^&*?+~]")
_CODE = re.compile(
    r"[(\[{]|::|->|=>|\w\.\w+\.|==|^[A-Z_]+$|^[a-z]+(?:[A-Z][a-z]+)+$|^[a-z]+(?:[_-][a-z]+)+$|</|"
    r"^\.|^[\w-]+\.[a-z]{1,4}$|^&|^-{1,2}\w|\\[wdsbS]"
)
_MOST_WORDS = 1


def is_quoted_password(value: str) -> bool:
    """Tell a password in quotes from a label, a message or code."""
    if is_placeholder(value) or value.count(" ") > _MOST_WORDS or len(set(value)) == 1:
        return False
    if _MARK.search(value):
        return not value.startswith(("%", "{", "$2", "/", "sha", "SCRAM-")) and not value.endswith((":", "?", "_", "-"))
    return value.isalpha() and len(value) >= 6 and not is_made_of_words(value)


def is_bare_password(value: str) -> bool:
    """Tell a password without quotes from a word, a number and code."""
    told = value.rstrip(".,;:!?)")
    if is_placeholder(value) or is_placeholder(told) or _CODE.search(value) or not _MARK.search(told):
        return False
    return not (told.isdigit() and len(told) < 6) and not told.startswith(("%", "@", "=", "~", "+"))


def is_told(value: str) -> bool:
    """Tell a password in a sentence: a plain word is more likely grammar than a password."""
    told = value.rstrip(".,;:!?)")
    return is_bare_password(value) and len(told) >= 4 and entropy_bits(told) >= 1.5


_VALUE = r"(?P<value>[^\s\"'`,;<>(){}\[\]]{3,128}[^\s\"'`,;<>(){}\[\].])"

_IS = r"(?:[Ii][Ss](?: now)?|IS|was|WAS|to|will be|ist|war|lautet|es|está|est|è|é|jest|brzmi|це|є|[-–:=—])"

DETECTOR = Detector(
    entity="PASSWORD",
    rules=(
        Rule(
            name="assigned-quoted",
            pattern=rf"(?:{_HARMLESS}|{_SET}{_NAME_TAIL}{_ASSIGN}[burfBRF@$]?[\"'`](?P<value>[^\"'`\r\n]{{3,128}})[\"'`])",
            prefilter=_NAME_PREFILTER,
            opening=f"{_HARMLESS}|{_SET}",
            score=0.9,
            check=is_quoted_password,
            not_after="",
            not_before="",
        ),
        Rule(
            name="assigned-bare",
            pattern=rf"(?:{_HARMLESS}|{_SET}{_NAME_TAIL}{_ASSIGN}{_VALUE})",
            prefilter=_NAME_PREFILTER,
            opening=f"{_HARMLESS}|{_SET}",
            score=0.88,
            check=is_bare_password,
            not_after="",
            not_before=r"(\[\w",
        ),
        Rule(
            name="element",
            pattern=r"<(?:[\w-]{1,20}[:_-])?(?:password|passwd|pwd)>\s{0,8}(?P<value>[^<>\s]{4,128})\s{0,8}</",
            prefilter=r"(?:password|passwd|pwd)>\s{0,8}[^<>\s]",
            score=0.9,
            check=is_quoted_password,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="told",
            pattern=rf"(?:{_TALKED}|\b[Pp][Ww])\s(?:[^\W\d_]{{1,20}}\s){{0,4}}?{_IS}\s?[\"'`«„“]?{_VALUE}",
            prefilter=rf"(?:{_TALKED}|\b[Pp][Ww])\s",
            score=0.88,
            check=is_told,
            not_before="",
        ),
        Rule(
            name="pair",
            pattern=(
                r"\b(?:user|usr|login|id|account|name|아이디|계정)(?:name)?\s?[/,:]\s?"
                r"(?:password|passwd|pwd|pw|pass|비밀번호|암호)\)?\s{0,2}"
                rf"(?:is|are|[=:(>-]{{1,2}})\s{{0,2}}[\w.@-]{{2,64}}\s?[/,: ]\s?{_VALUE}"
            ),
            prefilter=r"(?:user|usr|login|id|account|name|아이디|계정)\s?[/,:]\s?(?:password|passwd|pwd|pw|pass|비밀번호|암호)",
            score=0.88,
            check=is_told,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="flag",
            pattern=(
                r"--?(?:[a-z]{1,20}-)?(?:password|passwd|passphrase|pass|pwd|requirepass|storepass|keypass|secret|token|api-key)"
                rf"[= ]{{1,2}}[\"']?{_VALUE}"
            ),
            prefilter=(
                r"-(?:password|passwd|passphrase|pass|pwd|requirepass|storepass|keypass|secret|token|api-key)[= ]"
            ),
            score=0.88,
            check=is_bare_password,
            not_before=r"(\[\w",
            ignore_case=True,
        ),
        Rule(
            name="command",
            pattern=(
                r"\b(?:sshpass\s{1,3}-p\s{0,2}|(?:mysql|mysqldump|mysqladmin|mongo|mongosh)\b[^\n|;]{0,120}?\s-p|"
                r"smbclient[^\n|;]{0,120}?-U\s\w{1,32}%|net use[^\n|;]{0,120}?/user:\S{1,64}\s|"
                r"docker login[^\n|;]{0,120}?\s-p\s|requirepass\s|htpasswd\s-\w{0,6}b\w{0,6}\s\S{1,64}\s\S{1,64}\s)"
                rf"[\"']?{_VALUE}"
            ),
            prefilter=r"sshpass\s|(?:mysql|mongo)\w{0,6}\s|smbclient|net use|docker login|requirepass\s|htpasswd",
            score=0.88,
            check=is_bare_password,
            not_after="",
            not_before="",
        ),
        Rule(
            name="sql",
            pattern=(
                r"(?:identified\s(?:with\s[\w\"']{1,40}\s)?(?:by|as)|with\s(?:encrypted\s)?password|"
                r"set\spassword\s(?:for\s[^\n=]{1,80})?=)\s{0,3}(?:password\(\s?)?[\"'](?P<value>[^\"'\n]{3,128})[\"']"
            ),
            prefilter=r"identified\s(?:with|by|as)|with\s(?:encrypted\s)?password|set\spassword\s",
            score=0.9,
            check=is_quoted_password,
            not_after=r"\w",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="powershell",
            pattern=(
                r"convertto-securestring\s(?:-string\s|-asplaintext\s|-force\s){0,3}[\"'](?P<value>[^\"'\n]{3,128})[\"']"
            ),
            anchors=("convertto-securestring",),
            score=0.9,
            check=is_quoted_password,
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="netrc",
            pattern=rf"\bmachine\s\S{{1,128}}\s{{1,4}}login\s\S{{1,64}}\s{{1,4}}password\s{_VALUE}",
            anchors=("machine ",),
            score=0.92,
            check=is_bare_password,
            not_before="",
        ),
    ),
    examples=(
        "my password is [[hunter2]]",
        'db_password = "[[kX9$vq2!]]"',
        "PWD=[[s3cr3tpw]]",
        "the pw is [[tr0ub4dor&3]]",
        "Das Passwort lautet [[Sommer2024!]].",
        "la contraseña es [[Verano2024!]]",
        "le mot de passe est [[soleil-77!]]",
        "la mia parola è [[Estate2024!]]",
        "a senha é [[Verao2024!]]",
        "het wachtwoord is [[Zomer2024!]]",
        "hasło to [[Lato2024!]]",
        "пароль: [[Lito2024!]]",
        '{"user":"bob","password":"[[tr0ub4dor&3]]"}',
        "<password>[[tr0ub4dor&3]]</password>",
        "id/pw : admin / [[Tr0ub4dor]]",
        "deploy --password [[tr0ub4dor&3]] --now",
        "sshpass -p [[tr0ub4dor&3]] ssh ada@host",
        "CREATE USER ada IDENTIFIED BY '[[tr0ub4dor&3]]';",
        "ConvertTo-SecureString '[[tr0ub4dor&3]]' -AsPlainText -Force",
        "machine api.internal login ada password [[tr0ub4dor]]",
        'dbPass: "[[2CUVCCLF7a]]"',
    ),
    counter_examples=(
        "the password is required",
        "password=changeme",
        "password: ${DB_PASSWORD}",
        "password = os.environ['PW']",
        "forgot your password?",
        "password=********",
        "password = getpass.getpass()",
        "def login(user: str, password: str | None = None)",
        '"password": "Please enter your password"',
        "password_hash = '5f4dcc3b5aa765d61d8327deb882cf99'",
        "<password>changeme</password>",
        "my password is secret",
        "Reisepass-Nr.: C01X0006H",
        "N° passeport : 09AE12345",
        "passaporto: YA1234567",
        "passaporte: FZ123456",
        "Reisepassnummer: C01X0006H",
        "engine output 110 kW, pw is short for peak watt",
    ),
    sources=(
        "CWE-798: use of hard-coded credentials",
        "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html",
    ),
)
