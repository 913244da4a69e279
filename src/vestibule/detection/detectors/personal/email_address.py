"""E-mail addresses: plain, quoted, internationalised, and written out with (at)."""

from vestibule.detection.rules import Detector, Rule

# The local part as people have it; RFC 5322 also allows = & ? / | and braces, which in texts are what stands before it.
_FIRST, _INNER = r"[\w+]", r"[\w!#$%'*+^`~.-]"
_NEVER_LAST = ("%", "'", "`", ".")
_DOMAIN = r"(?:\w(?:[\w-]{0,61}\w)?\.){1,8}(?:xn--[\w-]{2,59}|[^\W\d_]{2,24})"
_WRITTEN = r"\w(?:[\w.+-]{0,62}\w)?"
_SPACED = r"\w(?:\s@|@\s)\s?[\w.-]{1,62}\.\w"
# As reports about attacks write an address, so that it is no link.
_PART, _ANY_DOT = r"\w[\w-]{0,61}", r"(?:\.|[\[(]\.[\])])"
_DOT = r"(?: ?[\[({<] ?(?:dot|punkt|punto|point) ?[\])}>] ?|\.)"


def _is_address(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    if local.startswith('"'):
        return True
    if ".." in local or local.endswith(_NEVER_LAST):
        return False
    # A file name with a scale (icon@2x.png) and a package with a version have the shape of an address.
    return domain.rpartition(".")[2].lower() not in _FILE_ENDINGS


def _is_spaced_address(value: str) -> bool:
    return _is_address("".join(value.split()))


_FILE_ENDINGS = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "service", "local"}
)

DETECTOR = Detector(
    entity="EMAIL_ADDRESS",
    rules=(
        Rule(
            name="address",
            # The address of a repository over git and ssh: the account `git` exists on every host and receives no mail.
            pattern=rf"git@{_DOMAIN}[:/][\w~./-]{{1,200}}|(?P<value>{_FIRST}{_INNER}{{0,64}}+@{_DOMAIN})",
            anchors=("@",),
            opening=f"{_FIRST}{_INNER}{{0,64}}@",
            score=0.95,
            check=_is_address,
            not_after=r"\w.+-",
            # A digit may follow: no top-level domain holds one, so the address ends there.
            not_before=r"^\W\d",
        ),
        Rule(name="quoted", pattern=rf'"[^"\\\r\n]{{1,62}}"@{_DOMAIN}', anchors=('"@',), score=0.95),
        Rule(
            name="written-out",
            pattern=rf"{_WRITTEN} ?[\[({{<] ?at ?[\])}}>] ?{_WRITTEN}(?:{_DOT}{_WRITTEN}){{1,4}}",
            prefilter=r"[\[({<] ?at ?[\])}>]",
            score=0.85,
            ignore_case=True,
        ),
        Rule(
            name="spelled-out",
            pattern=rf"{_WRITTEN} at (?:the|a|\d[\d.]{{0,8}}) dot \w{{1,24}}|"
            rf"(?P<value>{_WRITTEN} at {_WRITTEN}(?: dot \w{{2,24}}){{1,3}})",
            prefilter=r" at [\w.-]{1,24} dot [A-Za-z]",
            score=0.6,
            ignore_case=True,
        ),
        Rule(
            name="underscored",
            pattern=r"[A-Za-z0-9][A-Za-z0-9.+-]{0,62}_at_[A-Za-z0-9-]{1,62}(?:_dot_[A-Za-z0-9-]{1,62}){0,2}_dot_"
            r"(?:com|org|net|edu|gov|info|biz|dev|app|[A-Za-z]{2})",
            prefilter=r"_at_[A-Za-z0-9-]{1,62}_dot_[A-Za-z]{2}",
            score=0.6,
        ),
        Rule(
            name="defanged",
            pattern=rf"{_FIRST}[\w.+-]{{0,64}}(?:[\[(]@[\])]{_PART}(?:{_ANY_DOT}{_PART}){{1,5}}"
            rf"|@{_PART}(?:\.{_PART}){{0,4}}[\[(]\.[\])]{_PART}(?:{_ANY_DOT}{_PART}){{0,4}})",
            prefilter=r"\w(?:@[\w.-]{1,62}[\[(]\.[\])]|[\[(]@[\])])\w",
            score=0.9,
        ),
        Rule(
            name="spaced",
            pattern=rf"\w{{1,30}}[._+-][\w.+-]{{1,30}}(?:\s{{1,2}}@\s{{0,2}}|@\s{{1,2}}){_DOMAIN}",
            prefilter=_SPACED,
            score=0.6,
            check=_is_spaced_address,
        ),
        Rule(
            name="spaced-labelled",
            pattern=r"(?:mail|contact|kontakt|contacto|correo|courriel|пошта)(?:\s(?:is|ist|es|est|address)){0,2}[\s:=\"']{1,4}"
            rf"(?P<value>\w{{1,40}}(?:\s{{1,2}}@\s{{0,2}}|@\s{{1,2}}){_DOMAIN})",
            prefilter=_SPACED,
            score=0.85,
            check=_is_spaced_address,
            not_after="",
            ignore_case=True,
        ),
    ),
    labels=("email", "e mail", "mail", "correo", "courriel", "indirizzo email", "електронна пошта", "пошта"),
    examples=(
        "Write to [[jane.doe+news@example.co.uk]].",
        '{"mail":"[[j_doe@example.com]]"}',
        "[[用户@例子.广告]]",
        '[["john doe"@example.org]]',
        "reach me: [[jane (at) example (dot) org]]",
        "<[[o'neil@example.com]]>",
        "[[git@example.com]] is where patches go",
        "[[bob@example.com]]:/home/bob",
        "it is [[jane.doe at example dot com]]",
        "account_of [[jane.doe_at_example_dot_com]]",
        "from [[jane@example[.]com]] and [[jane[@]example.com]]",
        "write to [[jane.doe @ example.com]] or [[jane_doe@ example.com]]",
        "mail: [[jane\n@example.com]]",
        "contact: [[jane @ example.com]]",
    ),
    counter_examples=(
        "git@localhost",
        "git clone git@github.com:vestibule/vestibule.git",
        "ssh://git@codeberg.org/vestibule/vestibule.git",
        "icon@2x.png",
        "@mention",
        "a @ b.com",
        "lunch @ example.com",
        "split_at_last_dot_index",
        "stop_at_first_dot_in_name",
        "see you (at) noon",
        "look at the dot",
        "look at the dot com boom",
        "tokens at 4.2 dot product",
        "pkg@1.2.3",
    ),
    sources=("RFC 5322, section 3.4.1", "RFC 6531"),
)
