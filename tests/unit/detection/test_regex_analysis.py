"""What is read from an expression, and where a rule is tried for it."""

import re

import pytest

from vestibule.detection.regex_analysis import analyze_regex
from vestibule.detection.rules import Rule
from vestibule.detection.start_sets import start_set_of


@pytest.mark.parametrize(
    ("pattern", "width", "fewest_digits", "firsts", "digit_by"),
    [
        (r"\d{3}-", 4, 3, (r"\d",), 0),
        ("[AB]{2}[0-9]", 3, 1, ("A", "B"), 2),
        (r"\b(?:x|y1)z2", 4, 1, ("x", "y"), 3),
        ("a?b{0,3}c", 5, 0, ("a", "b", "c"), None),
        ("a{0,3}", 3, 0, None, None),
        ("[^a]1", 2, 1, None, 1),
        (r"(a)(?:b\1){1,2}9", 6, 1, ("a",), 5),
    ],
)
def test_shape(
    pattern: str, width: int, fewest_digits: int, firsts: tuple[str, ...] | None, digit_by: int | None
) -> None:
    """Width, digits, first characters and the place of the first digit hold for every match."""
    assert (width, fewest_digits, firsts, digit_by) == analyze_regex(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "starts"),
    [
        ("k[0-9]{3}", "k123 xk123 \u212a123 kkk1", [0, 11]),
        ("[A-Z]{2}[0-9]{3}", "AB123 word CD1 xAB1", [0, 11]),
        ("[0-9]{3}", "a 123\n456", [2, 6]),
    ],
)
def test_beginning(pattern: str, text: str, starts: list[int]) -> None:
    """A rule is tried where its first character stands after a border and its first digit is near."""
    rule = Rule(name="rule", pattern=pattern, score=0.9, ignore_case=True)
    start_set = start_set_of(rule, analyze_regex(pattern))
    assert start_set is not None
    assert starts == [match.start() for match in re.finditer(start_set, text, re.DOTALL)]


def test_no_beginning_of_what_begins_with_anything() -> None:
    """Where any word may begin a match there is no cheaper way to it."""
    rule = Rule(name="rule", pattern=r"\w{3}-x", score=0.9)
    assert start_set_of(rule, analyze_regex(rule.pattern)) is None
