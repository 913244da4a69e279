"""What is hidden by invisible characters, look-alikes, escapes and encodings is found, at its place in the original."""

import base64
import gzip
import json
import quopri
import zlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.detection import ScanBudgetExceeded, Scanner, TextTooLarge
from vestibule.detection.normalization import normalize
from vestibule.detection.normalization.decoding import QUOTED, QUOTED_PRINTABLE, decode_layers

SCANNER = Scanner.from_settings()
MAIL = "grace@example.org"
CARD = "5555555555554444"
LETTER = f"Dear all, please write to {MAIL} before Friday. The others know already, as far as I remember."


def values(text: str) -> list[str]:
    """Return what is found in `text`, as it is written there."""
    return [text[finding.start : finding.end] for finding in SCANNER.scan(text)]


def in_base64(content: str | bytes) -> str:
    """Encode a text."""
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


# One of each block of format characters, default-ignorable characters, blanks, controls and marks.
UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u17b4\u17b5\u180b\u180f\u200b\u2028\u202e\u2065\u206a\u2800\u3164\ufe0f\ufeff\uffa0\ufff0\ufff9"
    "\U000110bd\U0001bca0\U0001d173\U000e0001\U000e0020\U000e0100\u0001\u007f\u0090\u20dd\u0336"
    "\u302a\u2de0\ua66f\u093c\u064b\ufffc\U00016fe4\U0001d159\U0001d165\U0001da00"
)


@pytest.mark.parametrize("unseen", UNSEEN, ids=[f"U+{ord(char):04X}" for char in UNSEEN])
def test_unseen_characters_join_nothing(unseen: str) -> None:
    """A number and an address are found with something between their parts that nobody sees."""
    card = unseen.join(("5555", "5555", "5555", "4444"))
    assert [card] == values(f"it is {card} .")
    mail = f"gra{unseen}ce@exam{unseen}{unseen}ple.org"
    assert unseen in "\u2028" or [mail] == values(f"it is {mail} .")


def _in_block(first: int, text: str, start: str) -> str:
    return "".join(chr(first + ord(char) - ord(start)) if char.isalnum() else char for char in text)


@pytest.mark.parametrize(
    "value",
    [
        CARD.translate(str.maketrans("45", "⁴⁵")),
        CARD.translate(str.maketrans("45", "₄₅")),
        CARD.translate(str.maketrans("45", "④⑤")),
        CARD.translate(str.maketrans("45", "❹❺")),
        CARD.translate(str.maketrans("45", "𝟜𝟝")),
        CARD.translate(str.maketrans("45", "४५")),
        "".join(f"{digit}\ufe0f\u20e3" for digit in CARD),
        _in_block(0x24D0, MAIL, "a"),
        _in_block(0x1F150, MAIL, "a"),
        _in_block(0x1D41A, MAIL, "a"),
        _in_block(0x1F1E6, MAIL, "a"),
        "".join(chr(0xE0000 + ord(char)) for char in MAIL),
        "".join(chr(0xE0000 + ord(char)) for char in CARD),
        MAIL.replace("@", "＠"),
        MAIL.replace("@", "﹫").replace(".", "．"),
        "grасе@ехample.оrg",
    ],
)
def test_look_alikes_are_read(value: str) -> None:
    """Digits and letters in other forms are those that they look like."""
    assert [value] == values(f"it is {value} .")


def test_look_alikes_make_labels_and_keys() -> None:
    """A Cyrillic letter within a Latin word is read as the Latin one; words of other scripts stay as they are."""
    assert ["tulip42rain"] == values("pаsswоrd: tulip42rain")
    assert ["AKIАQ3EGRIK5DL4XWZ7M"] == values("AKIАQ3EGRIK5DL4XWZ7M")
    assert "хор и оркестр, Ωmega" == normalize("хор и оркестр, Ωmega").text


@pytest.mark.parametrize(
    "at",
    [
        *("&#64;", "&#0000064;", "&#64", "&#x40;", "&#X0040;", "&commat;", "&amp;commat;", "&amp;amp;#64;"),
        *(
            "%40",
            "%2540",
            "%25%34%30",
            "%25%32%35%25%33%34%25%33%30",
            "%252540",
            "%u0040",
            "%uFF20",
            "%EF%BC%A0",
            "%c1%80",
            "%E0%81%80",
            "+AEA-",
        ),
        *("\\100", "\\40 ", "\\000040", "\\x{40}", "\\N{COMMERCIAL AT}", "\\N{FULLWIDTH COMMERCIAL AT}"),
        *("\\u0040", "\\\\u0040", "\\u{40}", "\\u{000040}", "\\x40", "\\U00000040", "\\u005cu0040"),
        *("＆#64;", "&#6\u200b4;", "%4\u200b0", "%25\u200b40", "\\u0025" + "40"),
    ],
)
def test_escapes_are_undone(at: str) -> None:
    """However the character is written, once or several times over."""
    value = f"grace{at}example.org"
    assert [value] == values(f"it is {value} .")


@pytest.mark.parametrize(
    "text",
    [
        *(r"dir\100.txt", r"s/(\d)/\1/", r"\2 and \20", r"\\172.16.0.4\share", r"\N{NO SUCH NAME}", r"\N{x}"),
        *("हिन्दी", "\u0641\u064e\u0639", "\U0001f1e9\U0001f1ea", "\U0001f3f4\U000e0067\U000e0062"),
    ],
)
def test_what_is_no_escape_stays(text: str) -> None:
    """Paths, references of expressions, the spelling of other scripts and flags are read as they are."""
    unseen = "\U000e0067\U000e0062"
    assert text.replace(unseen, "") == normalize(text).text


def test_what_is_no_utf_7_stays() -> None:
    """Sums of names are no escapes, however many there are."""
    assert [MAIL] == values("a+AB-c+ABC-d+AEC123-" * 20 + f" {MAIL}")


def test_html_names_are_read() -> None:
    """Named characters of HTML are read; what is no name stays."""
    assert ["grace&commat;example&period;org"] == values("<td>grace&commat;example&period;org</td>")
    assert "a&nothing; b&c;" == normalize("a&nothing; b&c;").text
    assert ["x9k2m4q1"] == values("{&quot;password&quot;: &quot;x9k2m4q1&quot;}")


def _codec(name: str) -> Callable[[str], str]:
    return lambda text: in_base64(text.encode(name))


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": in_base64,
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "two levels": lambda text: in_base64(in_base64(text)),
    "three levels": lambda text: in_base64(in_base64(in_base64(text))),
    "UTF-16, little endian": _codec("utf-16-le"),
    "UTF-16, big endian": _codec("utf-16-be"),
    "UTF-16 with its mark": _codec("utf-16"),
    "Latin-1": lambda text: in_base64((text + " áéíóú").encode("latin-1")),
    "gzip": lambda text: in_base64(gzip.compress(text.encode())),
    "zlib": lambda text: in_base64(zlib.compress(text.encode())),
    "gzip in two levels": lambda text: in_base64(in_base64(gzip.compress(text.encode()))),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: "0x" + text.encode().hex().upper(),
    "JSON escapes": lambda text: in_base64(json.dumps({"m": text}).replace("@", "\\u0040")),
    "full width": lambda text: in_base64(text.replace("@", "＠")),
    "unseen characters": lambda text: in_base64(text.replace("@", "\u200b@\u2060").replace("org", "o\x01rg")),
    "URL encoding": lambda text: in_base64(quote(text)),
}


@pytest.mark.parametrize("encode", [pytest.param(encode, id=name) for name, encode in ENCODINGS.items()])
def test_encoded_text_is_read(encode: Callable[[str], str]) -> None:
    """The finding is the whole token."""
    token = encode(LETTER)
    assert [token] == values(f"see {token} , thanks")


SEPARATORS = ["\n", "\r\n", "\n    ", "\n\t", "\\n", "\\r\\n", "\n> ", "\n> > ", "\n# ", "\n * "]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("columns", [20, 60, 64, 76])
def test_folded_base64_is_one_token(columns: int, separator: str) -> None:
    """Lines of base64 are read as one; nothing of them stays outside of the finding."""
    whole = in_base64(LETTER)
    token = separator.join(whole[at : at + columns] for at in range(0, len(whole), columns))
    assert [token] == values(f"data:{separator}{token}{separator}-- end")


def test_first_line_may_be_of_another_width() -> None:
    """As after the name of a field, which takes some of its columns."""
    whole = in_base64(LETTER)
    token = "\n".join((whole[:41], *(whole[at : at + 64] for at in range(41, len(whole), 64))))
    assert [token] == values(f"certificate: {token}\n")


def test_line_after_a_token_stays_out() -> None:
    """What stands below a token is no part of it."""
    token = in_base64(LETTER)
    assert [token] == values(f"{token}\nRegards\nGrace")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to grace=40example=2Eorg today", "grace=40example=2Eorg"),
        ("please write to grace@exam=\nple.org today", "grace@exam=\nple.org"),
        ("please write to grace@exam=\r\nple.org today", "grace@exam=\r\nple.org"),
        ("password=3Dtulip42rain", "3Dtulip42rain"),
        ("=47=72=61=63=65 grace=40example.org", "grace=40example.org"),
    ],
)
def test_quoted_printable_is_read(text: str, expected: str) -> None:
    """Encoded characters and soft line breaks are undone."""
    assert [expected] == values(text)


def test_quoted_printable_of_python_is_read() -> None:
    """As the standard library writes it."""
    text = quopri.encodestring(f"Gruß an alle, {LETTER}".encode()).decode()
    assert [MAIL] == [value.replace("=\n", "") for value in values(text)]


@pytest.mark.parametrize("text", ["Title\n=====\n\ngrace", "if a ==\n40", "=3D=3D=\nnext"])
def test_soft_line_break_follows_no_equals_sign(text: str) -> None:
    """The line under a heading is none, so the texts around it are not searched twice; an encoded sign is no sign."""
    kinds = [layer.kind for layer in decode_layers(text, {QUOTED: [1]}, ())]
    assert ([QUOTED_PRINTABLE] if "=3D" in text else []) == kinds


@pytest.mark.parametrize(
    "written", [MAIL.replace("@", "%40"), MAIL.replace("@", "=40"), MAIL.replace("e@", "e\x1b[0m@")]
)
def test_decoded_text_is_searched_where_it_was_decoded(written: str) -> None:
    """Beyond it the text is as it was: each address is found once, whatever stands between."""
    around = "".join(f"{number} user{number}@example.com, tel. +44 20 7946 {number:04}. " for number in range(100))
    found = SCANNER.explain(f"{around} please write to {written} today. {around}")
    assert 400 == sum(explanation.decoded_from is None for explanation in found)
    (hidden,) = (explanation for explanation in found if explanation.decoded_from is not None)
    assert "EMAIL_ADDRESS" == hidden.finding.entity


@pytest.mark.parametrize("text", ["width=40px height=2Dx", "a = b\nc = d", "if x ==\n  40: y=4000", "?n=3d&m=40"])
def test_equals_signs_of_programs_are_no_quoted_printable(text: str) -> None:
    """An equals sign before a number or at the end of a line makes no finding."""
    assert [] == values(text)


@pytest.mark.parametrize(
    "before",
    [
        " ".join(["x7" * 12] * 200),
        "x" * 70_000,
        in_base64(bytes(range(256)) * 300),
        " ".join([in_base64("nothing to see in here")] * 200),
    ],
)
@pytest.mark.parametrize("encode", [in_base64, lambda text: text.replace("@", "%40")])
def test_nothing_is_passed_over_behind_other_content(before: str, encode: Callable[[str], str]) -> None:
    """However much stands before it, decodable or not."""
    hidden = encode(LETTER)
    assert any(value in hidden and "g" in value for value in values(f"{before} {hidden}"))


def test_a_long_token_is_read() -> None:
    """Of any length."""
    token = in_base64("lorem ipsum dolor sit amet " * 2_000 + LETTER)
    assert [token] == values(f"see {token} .")


def test_compressed_content_over_the_limit_is_refused() -> None:
    """A small token that inflates to many megabytes is not let through."""
    with pytest.raises(TextTooLarge):
        SCANNER.scan(in_base64(gzip.compress(bytes(50_000_000))))


def test_content_encoded_too_often_is_refused() -> None:
    """What cannot be read to its end is not let through."""
    token = LETTER
    for _ in range(20):
        token = in_base64(token)
    with pytest.raises(ScanBudgetExceeded):
        SCANNER.scan(token)


def test_escapes_far_apart_are_each_read() -> None:
    """Only the surroundings of an escape are read again; each value keeps its own place."""
    text = ("grace%40example.org " + "dolor sit amet " * 1_000) * 3
    assert ["grace%40example.org"] * 3 == values(text)


@given(text=st.text(st.characters(codec="utf-8"), max_size=200))
@settings(max_examples=200, deadline=None)
def test_every_offset_maps_into_the_original(text: str) -> None:
    """The span of any part lies within the text, in order."""
    normalized = normalize(text)
    edges = [normalized.span(at, at + 1) for at in range(len(normalized.text))]
    assert all(0 <= start < end <= len(text) for start, end in edges)
    assert edges == sorted(edges)


PARTS = ["\u200b", "&#64;", "\\u0040", "％", "ﬁ", "é", "e\u0301", "a", "🅐", "\\n", "&commat;"]


@given(parts=st.lists(st.sampled_from(PARTS), max_size=30), value=st.sampled_from([MAIL, CARD]))
@settings(max_examples=200, deadline=None)
def test_values_keep_their_offsets_among_replacements(parts: list[str], value: str) -> None:
    """Whatever is replaced, removed or expanded before a value."""
    text = f"{''.join(parts)} , {value} , {''.join(reversed(parts))}"
    assert value in values(text)


@pytest.mark.parametrize("value", ["5555\x1b[0m55555555\x1b[1;32m4444", "5555\x005555\x085555\x7f4444"])
def test_controls_of_a_terminal_hide_nothing(value: str) -> None:
    """Colours and controls within a number are not shown by a terminal."""
    assert [value] == values(f"card \x1b[31m{value} .")
