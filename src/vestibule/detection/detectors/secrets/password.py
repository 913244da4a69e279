"""Passwords: assigned, given to functions and commands, and stored in settings."""

import re

from vestibule.detection.rule_builders import BLOCK, any_case_pattern, word_of_name
from vestibule.detection.rules import Detector, Rule
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
    "паролем",
    "паролю",
    "비밀번호",
    "암호",
    "lösenord",
    "losenord",
    "adgangskode",
    "passord",
    "salasana",
    "heslo",
    "heslem",
    "hasłem",
    "lozinka",
    "geslo",
    "jelszó",
    "jelszava",
    "parolă",
    "şifre",
    "kata sandi",
    "mật khẩu",
    "mat khau",
    "κωδικός",
    "кодова дума",
)
TALKED = any_case_pattern(
    (*map(re.escape, _NAMES), "pass ?word", "pass ?phrase", "pass ?code", "pin code", "login code")
)
TALKED_OR_PASS = f"(?:{TALKED}|[Pp](?:ass|ASS))"
_SET = rf"(?:{TALKED}|\b(?:[A-Za-z]{{1,20}}[_.-])?[Pp][Ww]|(?:\b|[A-Za-z]{{2,20}}[_.-]?)[Pp](?:ass|ASS))"
_WORD = any_case_pattern(("passwords?", "passwd", "passphrase", "passcode", "pwd", "pass"))
# Names of settings that look like those of passwords and are none: matched so that nothing behind them is.
_HARMLESS_PARTS = any_case_pattern(
    r"hash hashed hasher encoder field input label hint policy reset length len min max file path url uri "
    r"type name id prompt placeholder regex pattern rules? error message text changed expires? strength "
    r"confirmation required through eports? aport[oe]s? ed ing ive enger ports? age word_?file count rate user nr "
    r"nummer number"
)
_HARMLESS_KINDS = word_of_name(
    "has is show hide reset forgot change update validate check verify no by com bi sur under over tres "
    "first second multi low high band"
)
HARMLESS = (
    rf"[Rr]eise-?[Pp]ass[\w-]{{0,20}}|{_WORD}[ _.-]?{_HARMLESS_PARTS}\b|"
    rf"{_HARMLESS_KINDS}[_-]?[Pp](?:ass|ASS)(?:[Ww]ord|WORD)?\b"
)
_ASSIGN = (
    r"[\"'\])]{0,3}\s{0,4}"
    r"(?:=>|:{1,3}=|={1,2}|:|,\s?[\"']?[Vv]alue[\"']?\s?[:=]|\s?value=|<-|->|\|\||\?[?:]|or )\s{0,4}"
)
_NAME_TAIL = r"[\w.-]{0,20}"
_NAME_SIGN = rf"(?:{TALKED}|[Pp][Ww]|[Pp](?:ass|ASS))"
_NAME_PREFILTER = (
    rf"{_NAME_SIGN}[\w.-]{{0,20}}[\"'\])]{{0,3}}\s{{0,4}}"
    r"(?:=|:|,\s?[\"']?[Vv]alue|\s?value=|<-|->|\|\||\?[?:]|or [\"'])"
)
_MARK = re.compile(r"[\d!@#$%^&*?+~]")
_CODE = re.compile(
    r"[(\[{]|::|->|=>|\w\.\w+\.|==|^[A-Z_]+$|^[a-z]+(?:[A-Z][a-z]+)+$|^[a-z]+(?:[_-][a-z]+)+$|</|"
    r"^\.|^[\w-]+\.[a-z]{1,4}$|^&|^-{1,2}\w|\\[wdsbS]"
)
# Packages of Debian are written `passwd:amd64`. Source: dpkg, cputable.
_ARCHITECTURES = frozenset(
    ("amd64", "i386", "arm64", "armhf", "armel", "ppc64el", "s390x", "riscv64", "mips64el", "loong64", "x86_64")
)
# Words with digits that stand beside `password` in manuals.
TECHNICAL = re.compile(
    r"(?:(?:sha|md|aes|rsa|des|base|utf|pbkdf|pkcs|oauth|rfc|http|ipv|ldap|v|ver|version|level|step|option|type|field|"
    r"item|no|number|test|user|part|page|line|col|column|row|table|figure|chapter|section|windows|win|python|php|mysql|"
    r"postgres|oracle|port|id|key|linux|x|u|s|t)[_.-]?\d{1,5}\w{0,3}|[a-z]?crypt\w{0,3}|argon2\w{0,2}|\w{0,8}password\w{0,6}|"
    r"\d{1,3}(?:st|nd|rd|th|fa|bit|[- ]?char\w{0,8}|[- ]?digits?))$",
    re.IGNORECASE,
)
# When a password was set, or expires: a date, with a time if one follows.
_MOMENT = re.compile(
    r"(?:(?:19|20)\d\d-[01]\d-[0-3]\d|[0-3]?\d[./][01]?\d[./](?:19|20)\d\d)(?:[T ][\d:.,]{2,16}(?:Z|[+-][\d:]{2,5})?)?$"
)
_MOST_WORDS = 1
_FEWEST_WORDS, _LONGEST_PHRASE = 4, 12
_PHRASE_WORD = re.compile(r"[A-Za-z]{2,16}|[A-Za-z0-9!@#$%^&*+~-]{1,16}")
# Words of sentences about passwords, and the most common ones of sentences at all.
_SENTENCE_TEXT = (
    "a about above account action add address admin after again all allow allowed also am an and any are as at auth "
    "ask authentication auto based be been before being below between blank both but by can cannot change character "
    "characters check choose class classes click code combination confirm connect contain contains correct create "
    "credentials current custom database default did different digit digits do does each either eight "
    "email empty encrypted enter error example expired fail failed field file fill first follow for forgot four from "
    "generate get give has hash have he hide hint how i if in incorrect input insert invalid is it its keep key last "
    "least leave length less letter letters like log login long lower lowercase make match maximum may message min "
    "minimum missing more must my name need needs new no none not now number numbers of old on one only optional or "
    "other our out over own passphrase password passwords path pattern phrase pick plain please protect protected "
    "provide random read repeat required reset same secret secure security see send server set should show sign six "
    "so some special store stored string strong such supply symbol symbols system text than that the their them then "
    "there these they this three to too twice two type under until up upper uppercase use used user username using "
    "valid value verify wait want was we weak were what when where which who will with within without word words "
    "would wrong write you your das der die den dem des ein eine einen ist mit und oder für nicht bitte eingeben "
    "passwort kennwort neues zeichen el la los las un una de del en y o con para por su tu es contraseña le les du des "
    "et ou votre mot passe pas au il lo gli di da e per non o os as um uma do da com sua senha het een van voor uw "
    "wachtwoord w z na do się jest nie hasło kata sandi anda akun untuk ve için"
)
_SENTENCE_WORDS = frozenset(_SENTENCE_TEXT.split())


def is_passphrase(value: str) -> bool:
    """Tell a phrase of drawn words (`mule harbor 7 lantern quilt`) from a sentence and a hint."""
    words = value.split(" ")
    if not _FEWEST_WORDS <= len(words) <= _LONGEST_PHRASE or not all(map(_PHRASE_WORD.fullmatch, words)):
        return False
    letters = [word for word in words if word.isalpha()]
    if len(letters) < max(3, len(words) - 2) or sum(map(len, letters)) < 4 * len(letters):
        return False
    is_uniform = all(map(str.islower, letters)) or all(map(str.istitle, letters))
    return is_uniform and _SENTENCE_WORDS.isdisjoint(map(str.lower, words))


def is_quoted_password(value: str) -> bool:
    """Tell a password in quotes from a label, a message or code."""
    if is_placeholder(value) or len(set(value)) == 1 or _MOMENT.match(value):
        return False
    if value.count(" ") > _MOST_WORDS:
        return is_passphrase(value)
    if _MARK.search(value):
        return not value.startswith(("%", "{", "$2", "/", "sha", "SCRAM-")) and not value.endswith((":", "?", "_", "-"))
    return value.isalpha() and len(value) >= 6 and not is_made_of_words(value)


def is_bare_password(value: str) -> bool:
    """Tell a password without quotes from a word, a number and code."""
    told = value.rstrip(".,;:!?)")
    if (
        value in _ARCHITECTURES
        or is_placeholder(value)
        or is_placeholder(told)
        or _MOMENT.match(told)
        or _CODE.search(value)
        or not _MARK.search(told)
    ):
        return False
    return not (told.isdigit() and len(told) < 6) and not told.startswith(("%", "@", "=", "~", "+"))


def is_argument(value: str) -> bool:
    """Tell a password given to a function from the name of a field, a type and an algorithm."""
    return is_quoted_password(value) and is_bare_password(value) and not TECHNICAL.match(value)


VALUE = r"(?P<value>[^\s\"'`,;<>(){}\[\]]{3,128}[^\s\"'`,;<>(){}\[\].])"

DETECTOR = Detector(
    entity="PASSWORD",
    rules=(
        Rule(
            name="assigned-quoted",
            pattern=rf"(?:{HARMLESS}|{_SET}{_NAME_TAIL}{_ASSIGN}[burfBRFN@$]?[\"'`](?P<value>[^\"'`\r\n]{{3,128}})[\"'`])",
            prefilter=_NAME_PREFILTER,
            opening=f"{HARMLESS}|{_SET}",
            score=0.9,
            check=is_quoted_password,
            not_after="",
            not_before="",
        ),
        Rule(
            name="assigned-bare",
            pattern=rf"(?:{HARMLESS}|{_SET}{_NAME_TAIL}{_ASSIGN}{BLOCK}{VALUE})",
            prefilter=_NAME_PREFILTER,
            opening=f"{HARMLESS}|{_SET}",
            score=0.88,
            check=is_bare_password,
            not_after="",
            not_before=r"(\[\w",
        ),
        Rule(
            name="element",
            pattern=(
                r"<[\w.:-]{0,30}?(?:password|passwd|pwd|passphrase|passwort|kennwort)>\s{0,8}"
                r"(?P<value>[^<>\s](?:[^<>\r\n]{2,126}[^<>\s]))\s{0,8}</"
            ),
            prefilter=r"(?:password|passwd|pwd|passphrase|passwort|kennwort)>\s{0,8}[^<>\s]",
            score=0.9,
            check=is_quoted_password,
            not_after="",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="call",
            pattern=(
                rf"\(\s{{0,3}}[\"'][\w.:-]{{0,30}}?{TALKED_OR_PASS}(?:[_.-][\w.-]{{1,20}}|\d{{1,3}})?[\"']\s{{0,3}},\s{{0,3}}(?:default\s?=\s?)?"
                r"[\"'](?P<value>[^\"'\s]{4,128})[\"']\s{0,3}[,)]"
            ),
            prefilter=rf"{TALKED_OR_PASS}[\w.-]{{0,20}}[\"']\s{{0,3}},\s{{0,3}}(?:default|[\"'])",
            opening=r"\(\s{0,3}[\"']",
            score=0.88,
            check=is_argument,
            not_after="",
            not_before="",
        ),
        Rule(
            name="setter",
            pattern=rf"(?:\b(?:set|with|use|change)_?|\.){TALKED}\(\s{{0,3}}[\"'](?P<value>[^\"'\s]{{4,128}})[\"']\s{{0,3}}\)",
            prefilter=rf"(?:set|with|use|change|_|\.){TALKED}\(",
            score=0.88,
            check=is_argument,
            not_after="",
            not_before="",
        ),
        Rule(
            name="flag",
            pattern=(
                r"--?(?:[a-z]{1,20}-)?(?:password|passwd|passphrase|pass|pwd|requirepass|storepass|keypass|secret|token|api-key)"
                rf"[= ]{{1,2}}[\"']?{VALUE}"
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
                r"(?:(?:docker|az|oc|helm registry|podman) login|cqlsh|smbmap)[^\n|;]{0,120}?\s-p\s|requirepass\s|"
                r"htpasswd\s-\w{0,6}b\w{0,6}\s\S{1,64}\s(?:\S{1,64}\s)?|redis-cli\b[^\n|;]{0,120}?\s(?:-a|--pass)\s|"
                r"(?:sqlcmd|bcp|unzip|zip)\s[^\n|;]{0,120}?-P\s|ldap\w{3,8}\s[^\n|;]{0,120}?\s-w\s|xfreerdp\s[^\n|;]{0,120}?/p:|"
                r"7za?\s[^\n|;]{0,120}?\s-p|rabbitmqctl\s(?:add_user|change_password)\s\S{1,64}\s)"
                rf"[\"']?{VALUE}"
            ),
            prefilter=r"sshpass\s|(?:mysql|mongo)\w{0,6}\s|smbclient|net use|requirepass\s|htpasswd|redis-cli|"
            r"rabbitmqctl\s|(?:docker|az|oc|registry|podman) login|cqlsh|smbmap|sqlcmd\s|bcp\s|zip\s|"
            r"ldap\w{3,8}\s|xfreerdp\s|7za?\s",
            score=0.88,
            check=is_bare_password,
            not_after="",
            not_before="",
        ),
        Rule(
            name="piped",
            pattern=(
                r"\b(?:echo|printf)\s{1,3}(?:-\w\s)?[\"']?(?:[\w.-]{1,32}:)?(?P<value>[^\s\"'`|:$]{4,64})[\"']?\s{0,3}\|"
                r"\s{0,3}(?:sudo\s{1,3})?(?:-S|chpasswd|passwd --stdin|\w[\w -]{1,60}--password-stdin)"
            ),
            prefilter=r"(?:echo|printf)\s[^\n|]{4,100}\|\s{0,3}(?:sudo|chpasswd|passwd|docker|podman|helm|crane)",
            score=0.88,
            check=is_bare_password,
            not_after="",
            not_before="",
        ),
        Rule(
            name="sql",
            pattern=(
                r"(?:(?:create|alter)\s(?:role|user|login)\s[^;\n\"']{1,160}?\spassword|identified\s(?:with\s[\w\"']{1,40}\s)?(?:by|as)|with\s(?:encrypted\s)?password|"
                r"set\spassword\s(?:for\s[^\n=]{1,80})?=)\s{0,3}(?:password\(\s?)?[\"'](?P<value>[^\"'\n]{3,128})[\"']"
            ),
            prefilter=r"identified\s(?:with|by|as)|\spassword\s{0,3}[=(]?\s?[\"']|with\s(?:encrypted\s)?password|set\spassword\s",
            score=0.9,
            check=is_quoted_password,
            not_after=r"\w",
            not_before="",
            ignore_case=True,
        ),
        Rule(
            name="sql-bare",
            pattern=rf"(?:create|alter)\s(?:user|role)\s[^;\n]{{1,160}}?\sidentified\sby\s{{1,3}}{VALUE}",
            prefilter=r"identified\sby\s{1,3}\w",
            score=0.88,
            check=is_bare_password,
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
            pattern=rf"\bmachine\s\S{{1,128}}\s{{1,4}}login\s\S{{1,64}}\s{{1,4}}password\s{VALUE}",
            anchors=("machine ",),
            score=0.92,
            check=is_bare_password,
            not_before="",
        ),
    ),
    examples=(
        'db_password = "[[kX9$vq2!]]"',
        "password: '[[mule harbor 7 lantern quilt]]'",
        "<passphrase>[[mule harbor lantern quilt]]</passphrase>",
        "admin_password: |\n  [[tr0ub4dor&3]]",
        "define('DB_PASSWORD', '[[tr0ub4dor&3]]');",
        "os.environ.get('PASSWORD', '[[hunter2]]')",
        "process.env.DB_PASSWORD || '[[hunter2]]'",
        'connection.setPassword("[[hunter2]]")',
        "lösenord: [[tr0ub4dor&3]]",
        "şifre: [[tr0ub4dor&3]]",
        "CREATE ROLE web LOGIN PASSWORD '[[tr0ub4dor&3]]';",
        "CREATE USER scott IDENTIFIED BY [[tr0ub4dor]];",
        "PWD=[[s3cr3tpw]]",
        "пароль: [[Lito2024!]]",
        '{"user":"bob","password":"[[tr0ub4dor&3]]"}',
        "<password>[[tr0ub4dor&3]]</password>",
        "deploy --password [[tr0ub4dor&3]] --now",
        "sshpass -p [[tr0ub4dor&3]] ssh ada@host",
        "redis-cli -h cache -a [[tr0ub4dor&3]] ping",
        "ldapsearch -x -D cn=admin -w [[tr0ub4dor&3]] -b dc=org",
        "htpasswd -nb ada [[tr0ub4dor&3]]",
        "echo 'ada:[[tr0ub4dor&3]]' | chpasswd",
        "echo [[tr0ub4dor&3]] | sudo -S ls",
        "CREATE USER ada IDENTIFIED BY '[[tr0ub4dor&3]]';",
        "ConvertTo-SecureString '[[tr0ub4dor&3]]' -AsPlainText -Force",
        "machine api.internal login ada password [[tr0ub4dor]]",
        'dbPass: "[[2CUVCCLF7a]]"',
    ),
    counter_examples=(
        "the password is required",
        "password=changeme",
        "password: 'must have 8 characters'",
        "passphrase = 'choose 3 random words and 2 digits'",
        "passwd:amd64",
        "password: |\n  must have 8 characters",
        "define('PASSWORD_DEFAULT', '2y')",
        "assertEqual('password', 'field-1')",
        "form.addField('password', 'sha256')",
        "MovedAttribute('HTTPPasswordMgr', 'urllib2', 'urllib.request')",
        "CREATE USER scott IDENTIFIED BY VALUES",
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
        "password_expires_at: 2026-11-30T10:00:00Z",
        "echo 4.2-rc1 | sudo tee /etc/version",
        "unzip -P list.zip; ldapsearch -x -w base",
        "zip -r backup-2024.zip . -P",
        '"pwdLastChanged": "30.11.2026"',
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
