"""Passwords in sentences: told (`the password is ...`), mentioned (`with password ...`) and beside a login."""

import re

from vestibule.detection.detectors.secrets.password import TALKED, TECHNICAL, VALUE, is_bare_password, is_passphrase
from vestibule.detection.rules import Detector, Rule
from vestibule.detection.validation.checks import entropy_bits

# A form of the word, as in `lösenordet` and `şifresi`.
_NAME = rf"(?:{TALKED}[^\W\d_]{{0,5}}|\b[Pp][Ww])"
_PREFILTER = rf"(?:{TALKED}|\b[Pp][Ww])"
_IS = (
    r"(?:(?:(?:is|was|has been|got|have)\s)?(?:now\s|been\s)?(?:changed|reset|set|updated|rotated)\s(?:back\s)?to|"
    r"[Ii][Ss](?: now)?|IS|was|WAS|to|will be|ist|war|lautet|es|está|est|è|é|este|jest|brzmi|це|є|är|er|je|на|on|là|"
    r"είναι|adalah|[-–:=—])"
)
_CHAR = r"[^\s\"'`,;<>(){}\[\]]"
# With a digit or a sign in it, which the prefilter looks for.
_MARKED_VALUE = rf"(?P<value>{_CHAR}{{0,64}}[0-9!@#$%^&*?+~](?:{_CHAR}{{0,63}}[^\s\"'`,;<>(){{}}\[\].])?)"
# Scripts without spaces between words, and those whose words for a password stand in no list of settings.
_UNSPACED = (
    r"(?:密码|密碼|口令|パスワード|暗証番号|비밀번호|패스워드|암호|รหัสผ่าน|"
    r"كلمة ?المرور|كلمة ?السر|كلمة ?مرور|الرقم السري|رمز عبور|"
    r"סיסמה|סיסמא|הסיסמה|पासवर्ड)"
)
_OTHER = r"[^!-~\n]"
# Only ASCII: the sentence goes on behind the value.
_ASCII_VALUE = r"(?P<value>[!#-&*-+./0-9:=?@A-Z\\^_a-z|~-]{4,64})"
_OPEN = r"[\"'`«„“「『]?"
# The words that make of a plain word with digits a password: `with password hunter2`.
_WITH = (
    r"(?i:(?:\b(?:with|and|use|using|via|by|enter|mit|und|con|y|usa|avec|et|com|e|usando|met|en|med|och|og|z|i|s|a|с|и|з|та|під|"
    r"ile|ve|dengan)|[,/;:|])\s{1,2}"
    r"(?:the |a |an |your |this |my |our |his |her |das |dem |la |el |le |il |o |det )?(?:[^\W\d_]{3,12} )?)"
)
_SIGN = re.compile(r"[^\W_][!@#$%^&*?+~][^\W_]|[!@#$%^&*?+~]{2}|[^\W_]{4}[!@#$%^*+~]")
_CHANGES = re.compile(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])")
_NO_PASSWORD = re.compile(
    r"://|\w@\w+\.\w|^\w+(?:[.-]\w+)*\.[a-z]{2,4}$|^\d+(?:[.,:/-]\d+)*\D?$|^/|/.*/|^[\w.-]+[:=]|^[A-Z]+[&/+][A-Z]+$"
)


def is_told(value: str) -> bool:
    """Tell a password in a sentence: a plain word is more likely grammar than a password."""
    told = value.rstrip(".,;:!?)")
    return is_bare_password(value) and len(told) >= 4 and entropy_bits(told) >= 1.5


def is_mentioned(value: str) -> bool:
    """Tell a password that follows its name directly from the next word: it mixes letters, digits and signs."""
    told = value.rstrip(".,;:?)")
    if not _may_be_mentioned(told):
        return False
    has_digit, has_letter = any(map(str.isdigit, told)), any(map(str.isalpha, told))
    if _SIGN.search(told):
        return has_letter and (has_digit or (told.lower() != told and told.upper() != told))
    return has_digit and len(told) >= 6 and len(_CHANGES.findall(told)) >= 2


def is_word_with_digits(value: str) -> bool:
    """Tell a password of letters and digits from the name of an algorithm, a version and a number."""
    told = value.rstrip(".,;:!?)")
    return _may_be_mentioned(told) and len(told) >= 6 and len(_CHANGES.findall(told)) >= 1


def _may_be_mentioned(told: str) -> bool:
    return is_told(told) and not TECHNICAL.match(told) and not _NO_PASSWORD.search(told)


def is_quoted_in_sentence(value: str) -> bool:
    """Tell a phrase of drawn words, or a password, from quoted words about it."""
    return is_passphrase(value) or (" " not in value and is_mentioned(value))


DETECTOR = Detector(
    entity="PASSWORD",
    rules=(
        Rule(
            name="told",
            pattern=rf"{_NAME}\s(?:[^\W\d_]{{1,20}}\s){{0,4}}?{_IS}\s?[\"'`«„“]?{VALUE}",
            prefilter=rf"{_PREFILTER}[^\s]{{0,12}}\s",
            opening=_PREFILTER,
            score=0.88,
            check=is_told,
            not_before="",
        ),
        Rule(
            name="told-unspaced",
            pattern=rf"{_UNSPACED}{_OTHER}{{0,6}}(?:是|为|為|は|는|은|คือ|هي|هو|[:=]){_OTHER}{{0,3}}?{_OPEN}{_ASCII_VALUE}",
            prefilter=_UNSPACED,
            score=0.88,
            check=is_told,
            not_after="",
            not_before="",
        ),
        Rule(
            name="mentioned-unspaced",
            pattern=rf"{_UNSPACED}{_OTHER}{{0,12}}{_OPEN}{_ASCII_VALUE}",
            prefilter=_UNSPACED,
            score=0.86,
            check=is_mentioned,
            not_after="",
            not_before="",
        ),
        Rule(
            name="mentioned",
            pattern=(
                rf"{_NAME}(?:(?:\s(?:para|pour|для|от|för|für|til)\s[\w@.'-]{{1,30}})?"
                rf"(?:[ \t]{{1,2}}|[ ]?[–—>-]{{1,2}}[ ])|"
                rf"(?:[ ][^\W\d_]{{1,20}}){{1,3}}:[ ]{{1,2}})[\"'`«„“(]?{_MARKED_VALUE}"
            ),
            prefilter=(
                rf"{_PREFILTER}[^\s]{{0,12}}(?:\s(?:para|pour|для|от|för|für|til)\s[^\s]{{1,60}})?"
                r"(?:\s{1,2}|\s?[^\s]{1,3}\s|(?: [^\s]{1,60}){1,3}: {1,2})[^\s]{0,64}[0-9!@#$%^&*?+~]"
            ),
            opening=_PREFILTER,
            score=0.86,
            check=is_mentioned,
            not_after="",
            not_before="",
        ),
        Rule(
            name="mentioned-with",
            pattern=rf"{_WITH}{_NAME}[ \t]{{1,2}}[\"'`«„“(]?{_MARKED_VALUE}",
            prefilter=rf"[\s]{_PREFILTER}[^\s]{{0,12}}\s{{1,2}}[^\s]{{0,64}}[0-9!@#$%^&*?+~]",
            opening=_WITH,
            score=0.86,
            check=is_word_with_digits,
            not_after="",
            not_before="",
        ),
        Rule(
            name="mentioned-quoted",
            pattern=(
                rf"{_NAME}(?:\s(?:[^\W\d_]{{1,20}}\s){{0,4}}?{_IS})?\s?:?\s?"
                r"[\"'`«„“](?P<value>[^\"'`«»„“”\n]{8,128})[\"'`»“”]"
            ),
            prefilter=rf"{_PREFILTER}[^\n]{{0,80}}(?:[\"'`]|«|„|“)[^\n]{{8}}",
            opening=_PREFILTER,
            score=0.87,
            check=is_quoted_in_sentence,
            not_after="",
            not_before="",
        ),
        Rule(
            name="pair",
            pattern=(
                r"\b(?:user|usr|login|id|account|name|아이디|계정)(?:name)?\s?[/,:]\s?"
                r"(?:password|passwd|pwd|pw|pass|비밀번호|암호)\)?\s{0,2}"
                rf"(?:is|are|[=:(>-]{{1,2}})\s{{0,2}}[\w.@-]{{2,64}}\s?[/,: ]\s?{VALUE}"
            ),
            prefilter=r"(?:user|usr|login|id|account|name|아이디|계정)\s?[/,:]\s?(?:password|passwd|pwd|pw|pass|비밀번호|암호)",
            score=0.88,
            check=is_told,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="login",
            pattern=(
                r"\b(?:credentials?|creds|logins?|log-?in|zugangsdaten|credenciales|identifiants|credenziali)\s?(?:are|is|:|=)"
                rf"\s?[\w.@-]{{2,64}}\s?[/:|]\s?{VALUE}"
            ),
            prefilter=(
                r"(?:credentials?|creds|logins?|log-?in|zugangsdaten|credenciales|identifiants|credenziali)\s?(?:are|is|:|=)\s?\w"
            ),
            score=0.86,
            check=is_mentioned,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
    ),
    examples=(
        "my password is [[hunter2]]",
        "the pw is [[tr0ub4dor&3]]",
        "Das Passwort lautet [[Sommer2024!]].",
        "la contraseña es [[Verano2024!]]",
        "le mot de passe est [[soleil-77!]]",
        "la mia parola è [[Estate2024!]]",
        "a senha é [[Verao2024!]]",
        "het wachtwoord is [[Zomer2024!]]",
        "hasło to [[Lato2024!]]",
        "lösenordet är [[Sommar2024!]]",
        "heslo je [[Leto2024!]]",
        "mật khẩu là [[MuaHe2024!]]",
        "密码是[[hunter2]]",
        "パスワードは[[hunter2]]です",
        "비밀번호는 [[hunter2]] 입니다",
        "كلمة السر هي [[tr0ub4dor&3]]",
        "密码 [[Fjord!82kelp]]",
        "with password [[Fjord!82kelp]]",
        "user ada@example.com and password [[K!9x]]",
        "login admin, password [[hunter2]]",
        "mit dem Passwort [[Fjord!82kelp]] anmelden",
        "şifresi [[tr0ub4dor&3]]",
        "hasło do wifi: [[Fjord!82kelp]]",
        "the admin password was changed to [[tr0ub4dor&3]] today",
        'my passphrase is "[[mule harbor 7 lantern quilt]]"',
        "id/pw : admin / [[Tr0ub4dor]]",
        "credentials: ada / [[tr0ub4dor&3]]",
    ),
    counter_examples=(
        "the password is required",
        "with password authentication over SSH2",
        "with password 8 characters long",
        "Accepted password for ada2 from 192.0.2.7 port 4711 ssh2",
        "Failed password for invalid user test1 from 192.0.2.7",
        "password-based encryption with password sha256",
        "the password expires in 90 days",
        "a file with password v2.0",
        "password authentication failed for user: bob1",
        "密码必须至少8个字符",
        "パスワードは8文字以上",
        "비밀번호는 8자 이상",
        "lösenordet måste ha 8 tecken",
        "heslo musí mít 8 znaků",
        "mật khẩu phải có 8 ký tự",
        "şifre en az 8 karakter olmalı",
        'the password "must have 8 characters"',
        "credentials: see RFC2617 / section 2",
    ),
    sources=("CWE-798: use of hard-coded credentials",),
)
