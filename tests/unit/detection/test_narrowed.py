"""A narrowed scanner leaves findings out, and is the same scanner otherwise."""

import pytest

from vestibule.detection import Finding, InvalidDetector, Scanner, fingerprint_of
from vestibule.detection.options import DEFAULTS

SCANNER = Scanner.from_settings()
MAIL = "jane.roe.4711@example.org"
TEXT = f"write to {MAIL} or pay to DE89 3704 0044 0532 0130 00"


def _entities(found: list[Finding]) -> list[str]:
    return [one.entity for one in found]


@pytest.mark.parametrize(
    ("options", "min_score", "expected"),
    [
        ({}, 0.0, ["EMAIL_ADDRESS", "IBAN_CODE"]),
        ({"entities": frozenset({"IBAN_CODE"})}, 0.0, ["IBAN_CODE"]),
        ({"ignored_entities": frozenset({"IBAN_CODE"})}, 0.0, ["EMAIL_ADDRESS"]),
        ({"entities": frozenset({"IBAN_CODE"}), "ignored_entities": frozenset({"IBAN_CODE"})}, 0.0, []),
        ({}, 1.0, []),
        ({"thresholds": {"IBAN_CODE": 1.0}}, 0.5, ["EMAIL_ADDRESS"]),
        ({"thresholds": {"IBAN_CODE": 0.5}}, 1.0, ["IBAN_CODE"]),
        ({"allowed_values": frozenset({MAIL})}, 0.0, ["IBAN_CODE"]),
        ({"allowed_patterns": (r"[a-z.0-9]{1,20}@example[.]org",)}, 0.0, ["IBAN_CODE"]),
        (
            {"allowed_fingerprints": frozenset({fingerprint_of(MAIL, "k")}), "fingerprint_key": "k"},
            0.0,
            ["IBAN_CODE"],
        ),
    ],
)
def test_options_narrow_what_is_found(options: dict[str, object], min_score: float, expected: list[str]) -> None:
    """Each option drops findings; scores, offsets and reasons of the others stay."""
    found = SCANNER.narrowed(DEFAULTS._replace(**options), min_score).explain(TEXT)  # type: ignore[arg-type]
    assert expected == [one.finding.entity for one in found]
    assert set(found) <= set(SCANNER.explain(TEXT))


def test_what_is_left_out_hides_nothing() -> None:
    """A finding that overlaps one that is left out is found in its place."""
    text = "token: 4111 1111 1111 1111"
    first = SCANNER.scan(text)[0].entity
    others = SCANNER.narrowed(DEFAULTS._replace(ignored_entities=frozenset({first}))).scan(
        "my card is 4111111111111111"
    )
    assert first not in _entities(others)
    assert ["EMAIL_ADDRESS", "IBAN_CODE"] == _entities(SCANNER.scan(TEXT))


def test_the_allow_list_of_the_settings_stays() -> None:
    """A caller cannot make a finding of what the operator allows."""
    allowing = Scanner.from_settings(DEFAULTS._replace(allowed_values=frozenset({MAIL})))
    assert ["IBAN_CODE"] == _entities(allowing.narrowed(DEFAULTS).scan(TEXT))


def test_nothing_is_built_again() -> None:
    """The parts that take a second to build are shared, so that each request may have its own."""
    narrowed = SCANNER.narrowed(DEFAULTS._replace(entities=frozenset({"IBAN_CODE"})))
    assert narrowed._prefilter is SCANNER._prefilter
    assert narrowed._matchers is SCANNER._matchers


def test_an_expression_that_may_take_long_is_refused() -> None:
    """A caller cannot stop the service with a pattern."""
    with pytest.raises(InvalidDetector):
        SCANNER.narrowed(DEFAULTS._replace(allowed_patterns=("(a+)+$",)))
