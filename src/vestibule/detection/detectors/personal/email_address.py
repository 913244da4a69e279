"""E-mail addresses: plain, quoted, internationalised, and written out with (at)."""

from vestibule.detection.rules import Detector, Rule

# The local part as people have it; RFC 5322 also allows = & ? / | and braces, which in texts are what stands before it.
_FIRST, _INNER = r"[\w+]", r"[\w!#$%'*+^`~.-]"
_NEVER_LAST = ("%", "'", "`", ".")
_DOMAIN = r"(?:\w(?:[\w-]{0,61}\w)?\.){1,8}(?:xn--[\w-]{2,59}|[^\W\d_]{2,24})"
_WRITTEN = r"\w(?:[\w.+-]{0,62}\w)?"
_DOT = r"(?: ?[\[({<] ?(?:dot|punkt|punto|point) ?[\])}>] ?|\.)"


def _is_address(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    if local.startswith('"'):
        return True
    if ".." in local or local.endswith(_NEVER_LAST):
        return False
    # A file name with a scale (icon@2x.png) and a package with a version have the shape of an address.
    return domain.rpartition(".")[2].lower() not in _FILE_ENDINGS


_FILE_ENDINGS = frozenset(
    {"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "service", "local"}
)

DETECTOR = Detector(
    entity="EMAIL_ADDRESS",
    rules=(
        Rule(
            name="address",
            # The address of a repository over git and ssh: the account is named `git` on every host and receives no mail.
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
            pattern=rf"{_WRITTEN} at {_WRITTEN}(?: dot \w{{2,24}}){{1,3}}",
            prefilter=r" at [\w.-]{1,24} dot [A-Za-z]",
            score=0.6,
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
    ),
    counter_examples=(
        "git@localhost",
        "git clone git@github.com:vestibule/vestibule.git",
        "ssh://git@codeberg.org/vestibule/vestibule.git",
        "icon@2x.png",
        "@mention",
        "a @ b.com",
        "see you (at) noon",
        "look at the dot",
        "pkg@1.2.3",
    ),
    sources=("RFC 5322, section 3.4.1", "RFC 6531"),
)
