"""The scanner: offsets, limits, keys, disguises, and that no text breaks it."""

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.detection import DetectionSettings, Finding, ScanBudgetExceeded, Scanner, TextTooLarge
from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.matching import TimeBudget
from vestibule.detection.prefilter import engines
from vestibule.detection.scanner import SLOW_TO_COMPILE_CHARS

SCANNER = Scanner.from_settings()
PIECES = (
    *(
        "a@example.com",
        "4111 1111 1111 1111",
        "+44 20 7946 0958",
        "536-90-4399",
        "DE89370400440532013000",
        "ssn",
        "tel",
    ),
    *(
        "password is hunter2",
        "%40",
        "%",
        "\u200b",
        "\u0661",
        "１２３",
        "\ud800",
        "—",
        "key=",
        "::1",
        "\\n",
        "\\u0040",
        "\\ud83d\\ude00",
        "\\\\u00e9",
        "&#64;",
        "&commat;",
        "=40",
        "=\n",
        "%u0040",
        "\x00",
        "\u0301",
        "ⓐ",
        "аa",
        "ﬁ",
        "YWRhQGV4YW1wbGUuY29t\nIGhlbGxv",
        "616461406578616d706c652e636f6d",
        '\\"',
        "😀",
        "é",
        " ",
    ),
    *("QWxpY2UgPGFsaWNlQGV4YW1wbGUuY29tPg==", "-----BEGIN PRIVATE KEY-----", "eyJhbGciOiJIUzI1NiJ9"),
)
any_text = st.one_of(
    st.text(st.characters(codec=None), max_size=300),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(), max_size=5)), max_size=30).map("".join),
    st.lists(st.sampled_from(PIECES), min_size=150, max_size=200).map("".join),
)


@given(text=any_text, key=st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["ssn", "phone_number", "data"])))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_it(text: str, key: str | None) -> None:
    """Whatever comes in, findings lie within the text, in order, without overlap."""
    found = SCANNER.scan(text, key=key)
    edges = [edge for finding in found for edge in (finding.start, finding.end)]
    assert sorted(edges) == edges
    assert all(0 <= f.start < f.end <= len(text) and 0 <= f.score <= 1 for f in found)


@given(text=any_text)
@settings(max_examples=10, deadline=None)
def test_is_the_same_without_the_accelerator(text: str) -> None:
    """Without hyperscan the same is found."""
    assert SCANNER.scan(text) == PLAIN.scan(text)


def _plain_scanner() -> Scanner:
    kept, engines.hyperscan = engines.hyperscan, None  # type: ignore[assignment]
    try:
        # Without the accelerator a scan of many layers takes its time.
        return Scanner.from_settings(DetectionSettings(cache_dir=None, scan_budget_ms=60_000))
    finally:
        engines.hyperscan = kept


PLAIN = _plain_scanner()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a\u200bda@exa\u200bmple.com", "a\u200bda@exa\u200bmple.com"),
        ("карта ４１１１ １１１１ １１１１ １１１１", "４１１１ １１１１ １１１１ １１１１"),
        ("ssn 536–90–4399 😀", "536–90–4399"),
        ("q=1&mail=ada%40example.com&x=2", "ada%40example.com"),
        ('{"mail": "jos\\u00e9@example.com"}', "jos\\u00e9@example.com"),
        ('{"contrase\\u00f1a": "gatito99"}', "gatito99"),
        ('{"log": "{\\"mail\\": \\"ada\\\\u0040example.co\\\\u006d\\"}"}', "ada\\\\u0040example.co\\\\u006d"),
        ('{"log": "{\\"password\\": \\"x9k2m4q1\\"}"}', "x9k2m4q1"),
        ("\\ud83d\\ude00 4111\\u200b1111\\u200b1111\\u200b1111.", "4111\\u200b1111\\u200b1111\\u200b1111"),
        ("<p>ada&#64;example.com, ada</p>", "ada&#64;example.com"),
        ("'ada\\x40example.com'", "ada\\x40example.com"),
        ("😀 data: QWxpY2UgPGFsaWNlQGV4YW1wbGUuY29tPg== 😀", "QWxpY2UgPGFsaWNlQGV4YW1wbGUuY29tPg=="),
    ],
)
def test_disguise_hides_nothing(text: str, value: str) -> None:
    """Offsets are those of the text as it came."""
    assert [value] == [text[f.start : f.end] for f in SCANNER.scan(text)]


@given(before=st.text(st.characters(categories=["L", "So"]), max_size=30))
@settings(max_examples=100, deadline=None)
def test_json_hides_nothing(before: str) -> None:
    """What stands in a text is found where it stands in the JSON of it, however much of that is escaped."""
    text = json.dumps({"text": f"{before} — é@example.com !"})
    found = [text[f.start : f.end] for f in SCANNER.scan(text) if f.entity == "EMAIL_ADDRESS"]
    assert ["é@example.com"] == [json.loads(f'"{value}"') for value in found]


def test_key_is_a_label() -> None:
    """Nine digits are nothing by themselves and a social security number in a field of that name."""
    assert [] == SCANNER.scan("536904399")
    assert [("US_SSN", 0, 9)] == [f[:3] for f in SCANNER.scan("536904399", key="customerSsn")]


def test_long_text_is_searched_everywhere() -> None:
    """What stands far from the start is found, at its place."""
    text = "é lorem ipsum " * 5_000 + "mail ada@example.com, ssn 536904399" + " dolor" * 5_000
    assert ["ada@example.com", "536904399"] == [text[f.start : f.end] for f in SCANNER.scan(text)]


def test_limit_refuses() -> None:
    """A text over the limit is refused."""
    with pytest.raises(TextTooLarge) as refusal:
        Scanner.from_settings(DetectionSettings(max_text_chars=10)).scan("a" * 11)
    assert 10 == refusal.value.limit


def test_budget_refuses() -> None:
    """A scan that runs out of time is refused, never half a result."""
    scanner = Scanner.from_settings(DetectionSettings(scan_budget_ms=1e-6))
    with pytest.raises(ScanBudgetExceeded):
        scanner.scan("ada@example.com")


def test_settings_switch_entities_and_thresholds() -> None:
    """An entity that is off, an allowed value and a score under the threshold are no findings."""
    text = "ada@example.com 8.8.8.8"
    assert ["IP_ADDRESS"] == _entities(text, ignored_entities=frozenset({"EMAIL_ADDRESS"}))
    assert ["EMAIL_ADDRESS"] == _entities(text, entities=frozenset({"EMAIL_ADDRESS"}))
    assert ["IP_ADDRESS"] == _entities(text, allowed_values=frozenset({"ada@example.com"}))
    assert ["EMAIL_ADDRESS"] == _entities(text, thresholds={"IP_ADDRESS": 0.9})


def _entities(text: str, **given_settings: object) -> list[str]:
    chosen = DetectionSettings.model_validate(given_settings)
    return [f.entity for f in Scanner.from_settings(chosen).scan(text)]


def test_warm_scanner_finds_the_same() -> None:
    """Warming up takes the waiting out of the first scan and changes nothing else."""
    scanner = Scanner.from_settings(DetectionSettings(scan_budget_ms=10_000))
    scanner.warm_up()
    assert all(m.is_compiled for m in scanner._matchers if len(m.rule.pattern) >= SLOW_TO_COMPILE_CHARS)
    text = "ada@example.com ssn 536-90-4399"
    assert SCANNER.scan(text) == scanner.scan(text)


def test_threads_share_it() -> None:
    """Many threads at once find what one finds."""
    text = "ada@example.com ssn 536-90-4399 " * 20
    expected = SCANNER.scan(text)
    results: list[list[Finding]] = []
    threads = [threading.Thread(target=lambda: results.extend(SCANNER.scan(text) for _ in range(50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [expected] * 200 == results


def test_explanation_names_reasons_and_no_value() -> None:
    """An explanation says rule, check and words."""
    (explanation,) = SCANNER.explain("my ssn is 536-90-4399")
    assert {"rule": "dashed", "check": "is_ssn: passed", "context": ["ssn"], "decoded_from": None} == (
        explanation.as_dict()["because"]
    )


def test_damaged_cache_is_built_anew(tmp_path: Path) -> None:
    """A compiled gate that is cut short or altered is not used."""
    # One detector alone: to compile all takes seconds.
    chosen = DetectionSettings(cache_dir=tmp_path, entities=frozenset({"EMAIL_ADDRESS"}))
    expected = SCANNER.scan("ada@example.com")
    assert expected == Scanner.from_settings(chosen).scan("ada@example.com")
    for kept in tmp_path.glob("prefilter-*.bin"):
        kept.write_bytes(kept.read_bytes()[:-10])
    assert expected == Scanner.from_settings(chosen).scan("ada@example.com")
    cache = CompiledCache(tmp_path)
    cache.save(b"f", b"content")
    assert b"content" == cache.load(b"f")
    assert cache.load(b"other") is None


@pytest.mark.parametrize(
    "uuid",
    [
        "89516ad2-0546-404b-be65-cb3e9e5ec5b6",
        "EE36362C-6BA9-40E6-8B02-318C8690D38B",
        "00277314-7034-4755-aa70-0c751859b6c3",
    ],
)
def test_a_piece_of_a_uuid_is_nothing(uuid: str) -> None:
    """A UUID may have an IBAN's check digits or a number's form in it by chance; outside of one the same is found."""
    assert not SCANNER.scan(uuid)
    assert not SCANNER.scan(f"order {uuid} is paid", key="id")
    pieces = ("be65-cb3e9e5ec5b6", "EE36362C-6BA9-40E6-8B02", "00277314-7034-4755")
    assert SCANNER.scan(next(piece for piece in pieces if piece in uuid))


def test_a_whole_uuid_may_be_a_secret() -> None:
    """Where a name says that it is one."""
    assert SCANNER.scan("HEROKU_API_KEY=89516ad2-0546-404b-be65-cb3e9e5ec5b6")


def test_the_budget_is_of_cpu_time() -> None:
    """What another thread does meanwhile does not count, time of its own does."""

    def work() -> None:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    budget = TimeBudget(40)
    other = threading.Thread(target=work)
    other.start()
    other.join()
    budget.check()
    work()
    with pytest.raises(ScanBudgetExceeded):
        budget.check()
