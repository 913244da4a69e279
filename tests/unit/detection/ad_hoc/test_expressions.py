"""Expressions of callers: what is taken, where they match, and how long that takes."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.detection import ScanBudgetExceeded
from vestibule.detection.ad_hoc import AdHocPattern, AdHocRecognizer, AdHocScanner, BoundedExpression, ExpressionRefused
from vestibule.detection.matching import TimeBudget

REFUSED = (*(r"(\w)\1", "(?<=ab)c", "a(?=b)c", "(?=a)|b(?!c)d(?=e)", "(", "[", r"\pL{1000}", "a" * 3_000, "a++"),)
NESTED = ("(?!a" * 400 + ")" * 400, "a(?!a" * 300 + ")" * 300, "(?=a(?=bc)d)e", "a(?=b(?!cd))")
FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE


def _found(expression: str, text: str, flags: re.RegexFlag = FLAGS) -> list[str]:
    data = text.encode()
    spans = BoundedExpression(expression, flags).find(data, TimeBudget(5_000))
    return [data[start:end].decode() for start, end in spans]


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        (r"(\b\d{5}(?:-\d{4})?\b)", "zip 10023, 10023-1234, 100234", ["10023", "10023-1234"]),
        (r"(?<!\d)\d{5}(?!\d)", "123456 12345", ["12345"]),
        (r"(?<=#)[a-z]+", "#ab cd", ["ab"]),
        (r"[a-z]+(?=:)", "ab: cd", ["ab"]),
        # Where the longest match has another character behind it, a shorter one counts.
        (r"(?:ab|abc)(?!\w)", "abc abcd", ["abc"]),
        (r"x(?![^y])", "xy xz x", ["x", "x"]),
        (r"x(?!\.)", "x. x, x", ["x", "x"]),
        # A lookahead at the start or the end.
        (r"\b(?!0000|99)\d{4}\b", "0000 1234 9912", ["1234"]),
        (r"(?=[a-z]*\d)(?=\w{3})[a-z\d]+", "abc ab1 a1", ["ab1"]),
        (r"\d+(?! ?%)", "5 % 7", ["7"]),
        (r"\d+(?![\w:]|\.\d)", "10.5 10: 10.", ["5", "10"]),
        ("é+", "caféé é", ["éé", "é"]),
        ("^b$", "a\nB\nc", ["B"]),
        (r"x\Z", "x x", ["x"]),
        ("a*", "b", []),
    ],
)
def test_what_matches(expression, text, found):
    """As the standard library matches it, but for empty matches."""
    assert found == _found(expression, text)


@pytest.mark.parametrize(
    "expression",
    [r"(\w)\1", "(?<=ab)c", "a(?=b)c", "(?=a)|b(?!c)d(?=e)", "(", "[", r"\pL{1000}", "a" * 3_000, "a++", *NESTED],
)
def test_what_is_refused(expression):
    """Back-references, lookarounds that are no check of one character, invalid and large ones; nothing is repeated."""
    with pytest.raises(ExpressionRefused) as refused:
        BoundedExpression(expression, FLAGS)
    assert expression not in str(refused.value) or len(expression) == 1


def test_groups_have_their_numbers():
    """Also where a character behind the match is looked at."""
    found = BoundedExpression(r"(a)(?P<b>b)?(?!c)", FLAGS)
    assert (2, {"b": 2}) == (found.groups, found.group_numbers)
    groups = [[(0, 2), (0, 1), (1, 2)], [(3, 4), (3, 4), (-1, -1)], [(4, 5), (4, 5), (-1, -1)]]
    assert groups == list(found.find_groups(b"ab aabc", TimeBudget(1_000)))


def test_a_match_in_any_window_is_found_once():
    """A long text is searched in pieces, which no match falls between."""
    text = "é" * 5_000 + " 12345 " + "x" * 20_000 + "12345" + "ü" * 3_000 + " 12345"
    assert ["12345"] * 3 == _found(r"\d{5}", text)


@given(st.text(max_size=300), st.sampled_from([r"\d+", "[a-c]{2}", "é|ü", r"(?<!a)b"]))
def test_matches_are_those_of_the_standard_library(text, expression):
    """On texts of any kind; digits are those of ASCII."""
    expected = [found[0] for found in re.finditer(expression, text, re.ASCII)]
    assert expected == _found(expression, text, re.RegexFlag(0))


@pytest.mark.parametrize("expression", [r"(a+)+$", "(a|aa)+b", "a.*a.*a.*b", "(?:a?){50}a{50}c", "a(.*b)?"])
def test_no_text_makes_one_slow(expression):
    """It ends, or its budget does."""
    began = time.perf_counter()
    try:
        for _ in BoundedExpression(expression, FLAGS).find(b"a" * 100_000, TimeBudget(500)):
            pass
    except ScanBudgetExceeded:
        pass
    assert time.perf_counter() - began < 5


def test_many_texts_have_no_more_time_than_a_few():
    """All texts of a request share a budget."""
    pattern = AdHocPattern("slow", "slow", "(?<!a)(?:a|b|ab|aa){0,40}x?(?!a)", 0.5)
    scanner = AdHocScanner([_recognizer(patterns=[pattern] * 20)], (), 50)
    began = time.perf_counter()
    with pytest.raises(ScanBudgetExceeded):
        [scanner.find("a" * 100, [], 0) for _ in range(10_000)]
    assert time.perf_counter() - began < 5


def _recognizer(**members) -> AdHocRecognizer:
    return AdHocRecognizer("ZIP", "zip codes", **members)


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        (["Mr.", "Mister"], "Mr. Roe, mister, misters", [(0, 3), (9, 15)]),
        (["Müller"], "müller Müllerin éMüller", [(0, 6)]),
        (["a+b", "(c)"], "a+b (c) aab", [(0, 3), (4, 7)]),
        ([f"word{number}" for number in range(900)], "word899 word1000 word0", [(0, 7), (17, 22)]),
    ],
)
def test_words_are_found_as_whole_words(words, text, found):
    """In any script, of any length of the list, with every character as it is."""
    scanner = AdHocScanner([_recognizer(words=words)], (), 5_000)
    assert found == [one.finding[1:3] for one in scanner.find(text, [], 0)]


def test_a_word_of_the_request_or_before_a_match_raises_its_score():
    """To at least 0.4; a word after it does not."""
    pattern = AdHocPattern("zip codes", "digits", r"\d{5}", 0.01)
    recognizer = _recognizer(patterns=[pattern], context=frozenset({"zip"}))
    scores = [
        AdHocScanner([recognizer], context, 5_000).find(text, [], 0)[0].finding.score
        for context, text in [((), "Zip code 10023"), ((), "10023 zip"), (("my ZIP",), "10023")]
    ]
    assert [0.4, 0.01, 0.4] == scores
