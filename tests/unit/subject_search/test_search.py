"""Finding a subject in a text: the same value in any writing, no other value, and beside other work."""

import asyncio
import base64
import gzip
import json
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

from vestibule.contracts.subjects import FindForm
from vestibule.detection.options import DEFAULTS
from vestibule.encryption import Fingerprinter, KeyRingFile, Tokenizer, create_key_ring
from vestibule.encryption.pseudonyms import canonical
from vestibule.subject_search import SubjectSearcher
from vestibule.subject_search.search import AT_ONCE_CHARS

ADDRESS = "orders@example.org"
CARD = "4111111111111111"
IBAN = "DE89370400440532013000"
NAME, NUMBER = "Ada Lovelace", "K-48213"
NFD = unicodedata.normalize("NFD", "zoë@example.org")


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRingFile:
    """A key ring of its own."""
    path: Path = tmp_path_factory.mktemp("keys") / "ring.json"
    create_key_ring(path)
    return KeyRingFile(path)


@pytest.fixture(scope="module")
def searcher(ring: KeyRingFile) -> SubjectSearcher:
    """Makes searches with the built-in detectors."""
    return SubjectSearcher(ring)


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FOUND = [
    *(
        (ADDRESS, text)
        for text in (ADDRESS, "to ORDERS@Example.ORG, today", "<orders@example.org>", f"mailto:{ADDRESS}?x=1")
    ),
    (ADDRESS, "Write to orders@example.org. Please do."),
    (ADDRESS, "mary.orders@example.org or orders@example.org"),
    (ADDRESS, "a=b&to=orders%40example.org&c=d"),
    (ADDRESS, "%256frders%2540example.org"),
    (ADDRESS, f"see {base64_of(ADDRESS)}"),
    (ADDRESS, f'{{"a": "{base64_of("write to ORDERS@example.org today")}"}}'),
    (ADDRESS, base64.b64encode(gzip.compress(f"to {ADDRESS}".encode(), mtime=0)).decode()),
    (ADDRESS, '{"to": "orders\\u0040example.org"}'),
    (ADDRESS, "orders&#64;example.org"),
    (ADDRESS, "ord\u200bers@example.org"),
    ("orders%40example.org", ADDRESS),
    (base64_of(ADDRESS), ADDRESS),
    ("zoë@example.org", f"to {NFD}"),
    (NFD, "to ZOË@example.org"),
    *((CARD, text) for text in ("4111 1111 1111 1111", "4111-1111-1111-1111", "card 4111.1111.1111.1111, paid")),
    ("4111 1111 1111 1111", f"card={CARD}"),
    (CARD, "４１１１ １１１１ １１１１ １１１１"),
    (IBAN, "to DE89 3704 0044 0532 0130 00, please"),
    ("DE89 3704 0044 0532 0130 00", IBAN.lower()),
    *((phone, "call 0171/123 4567") for phone in ("0171 1234567", "(0171) 123-4567")),
    ("+49 171 1234567", "+491711234567"),
    *(("+491711234567", text) for text in ("call 0049 171 1234567", "+49 (0) 171 1234567", "00491711234567")),
    ("0049 171 1234567", "call +49 171 1234567"),
    (CARD, "4111_1111_1111_1111"),
    ("Zoë Müller", base64_of(unicodedata.normalize("NFD", "Zoë Müller"))),
    ("<orders@example.org>", ADDRESS),
    *((NAME, text) for text in ("by ada  lovelace.", "ADA LOVELACE's notes", "Ada\nLovelace", "name=Ada+Lovelace&x=1")),
    (NAME, f"x {base64_of('Ada Lovelace')}"),
    *((NUMBER, text) for text in ("k-48213", "customers/K-48213/orders", "K 48213", "customer:K48213,")),
    ("Müller", unicodedata.normalize("NFD", "Frau MÜLLER")),
    ("Straße 7", "in der STRASSE 7"),
    ("----", "a ---- b"),
    # A backslash in JSON is two, and in JSON within JSON four.
    *(("CORP\\jlovelace", text) for text in ('{"by": "corp\\\\jlovelace"}', r"x corp\jlovelace", r"corp\\\\jlovelace")),
    (r"\\files\ada", json.dumps({"path": r"\\files\ada"})),
    ("jl \\ ada", json.dumps(["jl \\ ada"])),
    *(
        (ADDRESS, text)
        for text in (
            "to orders [at] example.org, please",
            "orders (at) example (dot) org",
            "it is orders at example dot org",
            "from orders@example[.]org",
            "orders[@]example.org",
        )
    ),
]


@pytest.mark.parametrize(("value", "text"), FOUND)
def test_the_value_is_found_in_another_writing(searcher: SubjectSearcher, value: str, text: str) -> None:
    """Encoded, in other case or form, with other separators: it is the same value."""
    assert searcher.search_for(value, {"t1"}).finds_in(text)


NOT_FOUND = [
    *(
        (ADDRESS, text)
        for text in ("orders@example.org.uk", "new-orders@example.org", "orders@example.org-partner.com")
    ),
    *(
        (ADDRESS, text)
        for text in ("", "orders", "xorders@example.org", "orders@example.orgs", "orders at example.org")
    ),
    *((ADDRESS, text) for text in ("orders@@example.org", "my.orders@example.org", "orders+x@example.org")),
    (ADDRESS, f"see {base64_of('new-orders@example.org.uk')}"),
    (ADDRESS, "new-orders%40example.org"),
    (ADDRESS, "to=orders%40example.org.uk"),
    (CARD, "4111 1111 1111 1112"),
    (CARD, f"1{CARD}"),
    (CARD, f"{CARD}7"),
    (CARD, f"{CARD}_7"),
    *(("+491711234567", text) for text in ("0171 1234567", "+43 171 1234567", "+49 171 1234567 8", "+49 171 1234568")),
    ("37040044", "DE89 3704 0044 0532 0130 00"),
    *(
        (NAME, text)
        for text in ("Adam Lovelace", "Ada Lovelaces", "Ada Byron Lovelace", "Ada", "ada.lovelace@example.org")
    ),
    *((NUMBER, text) for text in ("K-482137", "XK-48213", "K-48213-7", "AB-K-48213", "48213", "k-48213@example.org")),
    *((ADDRESS, text) for text in ("my-orders [at] example.org", "orders [at] example.org.uk", "example.org orders")),
    ("48213", "K-48213"),
    ("corp\\jlovelace", "corp/jlovelace"),
    ("48213", "4 8213"),
    ("----", "a ---"),
]


@pytest.mark.parametrize(("value", "text"), NOT_FOUND)
def test_a_part_of_something_else_is_not_it(searcher: SubjectSearcher, value: str, text: str) -> None:
    """What only holds its letters, or holds it as a part of a longer value, is somebody else's."""
    assert not searcher.search_for(value, {"t1"}).finds_in(text)


WRITINGS = [
    ADDRESS,
    ADDRESS.upper(),
    quote(ADDRESS),
    base64_of(ADDRESS),
    "orders\\u0040example.org",
    "orders&#64;example.org",
]


@pytest.mark.parametrize("writing", WRITINGS)
def test_tokens_and_fingerprints_of_any_writing_are_found(
    searcher: SubjectSearcher, ring: KeyRingFile, writing: str
) -> None:
    """A token is opened, also after a processor changed its case; a fingerprint is the same for all writings."""
    search, tokenizer = searcher.search_for(ADDRESS, {"t1", "t2"}), Tokenizer(ring)
    token = tokenizer.tokenize(writing, "EMAIL_ADDRESS", "t2")
    for text in (f"to {token}", f"to {token}".lower(), f"to {token}".upper(), base64_of(f"to {token}")):
        assert search.finds_in(text)
    assert search.finds_in(f"to <EMAIL_ADDRESS#{Fingerprinter(ring).fingerprint(writing, 't2')}>".upper())
    assert not search.finds_in(tokenizer.tokenize(writing, "EMAIL_ADDRESS", "t3"))


@pytest.mark.parametrize("writing", [f"new-{ADDRESS}", f"{ADDRESS}.uk", quote(f"{ADDRESS}.uk")])
def test_tokens_and_fingerprints_of_others_are_not_found(
    searcher: SubjectSearcher, ring: KeyRingFile, writing: str
) -> None:
    """What a token stands for is searched as exactly as a text."""
    search = searcher.search_for(ADDRESS, {"t1"})
    assert not search.finds_in(Tokenizer(ring).tokenize(writing, "EMAIL_ADDRESS", "t1"))
    assert not search.finds_in(f"<EMAIL_ADDRESS#{Fingerprinter(ring).fingerprint(writing, 't1')}>")


def test_a_token_in_another_writing_of_a_card(searcher: SubjectSearcher, ring: KeyRingFile) -> None:
    """The forms of a card are the same one."""
    token = Tokenizer(ring).tokenize("4111-1111 1111-1111", "CREDIT_CARD", "t1")
    assert searcher.search_for(CARD, {"t1"}).finds_in(json.dumps({"card": token}))


FORMS = [
    (ADDRESS, FindForm.PLAIN, None, False),
    (f"to {ADDRESS}, today", FindForm.PLAIN, None, True),
    ("orders [at] example.org", FindForm.PLAIN, None, True),
    (f"see {base64_of(ADDRESS)}", FindForm.ENCODED, "base64", True),
    ("to=orders%40example.org&c=d", FindForm.ENCODED, "url", True),
    ("orders\\u0040example.org", FindForm.ENCODED, "escapes", False),
]


@pytest.mark.parametrize(("text", "form", "encoding", "is_part"), FORMS)
def test_the_form_of_the_value_is_told(
    searcher: SubjectSearcher, text: str, form: FindForm, encoding: str | None, is_part: bool
) -> None:
    """As it came or encoded, and alone or within a longer text."""
    assert searcher.search_for(ADDRESS, {"t1"}).match_in(text) == (form, encoding, is_part)


def test_tokens_and_fingerprints_are_told_apart(searcher: SubjectSearcher, ring: KeyRingFile) -> None:
    """Also where they stand for another writing, such as an address that is written out."""
    search, token = searcher.search_for(ADDRESS, {"t1"}), Tokenizer(ring).tokenize(ADDRESS, "EMAIL_ADDRESS", "t1")
    assert search.match_in(token) == (FindForm.TOKEN, None, False)
    assert search.match_in(f"to {token}") == (FindForm.TOKEN, None, True)
    fingerprint = Fingerprinter(ring).fingerprint
    for value, writing in (
        (ADDRESS, "orders [at] example.org"),
        (ADDRESS, "orders (at) example (dot) org"),
        (CARD, "4111_1111_1111_1111"),
    ):
        found = searcher.search_for(value, {"t1"}).match_in(f"<X#{fingerprint(writing, 't1')}>")
        assert found == (FindForm.FINGERPRINT, None, True)


def test_an_allowed_value_is_found(ring: KeyRingFile) -> None:
    """What the operator allows at the door is erased as everything else."""
    options = DEFAULTS._replace(allowed_values=frozenset({ADDRESS}), ignored_entities=frozenset({"EMAIL_ADDRESS"}))
    assert SubjectSearcher(ring, options).search_for(ADDRESS, {"t1"}).finds_in(f"x.{ADDRESS}.Then {ADDRESS}")


def test_the_canonical_form_is_the_same_for_all_writings() -> None:
    """So fingerprints are, and those of other values are not."""
    assert {ADDRESS} == set(map(canonical, WRITINGS))
    assert canonical(NFD) == canonical("Zoë@example.org")
    assert CARD == canonical(base64_of("4111 1111 1111 1111"))
    assert "\U0001f511" == canonical("\\ud83d\\udd11")
    assert "sk_live_abcdefghijklmnopqrstuvwx" == canonical("sk_live_abcdefghijklmnopqrstuvwx")


async def test_a_long_text_lets_others_have_their_turn(searcher: SubjectSearcher) -> None:
    """A search through a million characters runs beside the event loop, which goes on."""
    search, turns = searcher.search_for(ADDRESS, {"t1"}), 0
    searching = asyncio.create_task(search.finds_among(None, "a 1 " * 250_000, f"- {ADDRESS} -" * AT_ONCE_CHARS))
    while not searching.done():
        await asyncio.sleep(0)
        turns += 1
    assert searching.result()
    assert turns > 10


async def test_several_texts(searcher: SubjectSearcher) -> None:
    """It is found in any of several, some of which may not be there."""
    search = searcher.search_for(ADDRESS, {"t1"})
    assert await search.finds_among(None, "nothing", f"for {ADDRESS}")
    assert not await search.finds_among(None, "nothing")
