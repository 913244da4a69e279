"""Tables of vendors' keys: pattern, anchor, gate and example follow from the parts."""

import re

import pytest

from vestibule.detection.catalogue import declared_in, list_modules
from vestibule.detection.rule_builders import (
    alnum,
    any_case_pattern,
    digits,
    hexa,
    in_any_case,
    key,
    named,
    of,
    one_of,
    uuid,
)

VENDORS_AT_LEAST = 150


def test_makes_rule_and_example_from_parts() -> None:
    """A prefix becomes the anchor, and the example is an instance of the pattern."""
    form = key("made-up", "mup_", one_of("live_", "test_"), alnum(24))
    assert ("live_", "test_") == form.rule.anchors
    assert re.fullmatch(form.rule.pattern, form.example.strip("[]"))


def test_gates_short_prefixes_with_what_follows() -> None:
    """A prefix too short to be looked for alone is looked for with the characters after it."""
    form = key("made-up", "zq", digits(1), hexa(32))
    assert () == form.rule.anchors
    assert form.rule.prefilter is not None
    assert re.search(form.rule.prefilter, form.example.strip("[]"))


def test_looks_for_named_keys_beside_the_name() -> None:
    """A key without a form of its own is found behind its vendor's name only."""
    rule = named("made-up", "acme", hexa(32)).rule
    value = "8f14e45fceea167a5a36dedd4bea2543"
    expression = re.compile(rule.expression, re.IGNORECASE)
    written = (
        "ACME_KEY={}",
        '"acmeToken": "{}"',
        "acme.secret := '{}'",
        '<add key="acme" value="{}"/>',
        "<acme>{}</acme>",
    )
    found = [expression.search(text.format(value)) for text in written]
    assert [value] * len(written) == [match["value"] if match else None for match in found]
    assert expression.search(f"checksum={value}") is None


@pytest.mark.parametrize("part", [uuid(), of("[A-Z2-7]", 16), of(r"[\w=-]", 40, 60), digits(5)])
def test_samples_fit_their_pattern(part: object) -> None:
    """A part's sample is one of what its pattern describes."""
    assert re.fullmatch(part.pattern, part.sample)  # type: ignore[attr-defined]


def test_knows_enough_vendors() -> None:
    """The key formats of at least 150 vendors are declared, each with its source."""
    detectors = [d for m in list_modules() if ".secrets." in m.__name__ for d in declared_in(m)]
    assert len(detectors) >= VENDORS_AT_LEAST
    assert [] == [d for d in detectors if not d.sources]


@pytest.mark.parametrize("text", ["api", "API", "Api", "aPi", "contraseña", "CONTRASEÑA", "пароль", "ПАРОЛЬ"])
def test_takes_any_case(text: str) -> None:
    """Words are found in either case, beyond ASCII too."""
    assert re.fullmatch(any_case_pattern("api contraseña пароль"), text)


def test_leaves_classes_and_escapes() -> None:
    """Only letters that stand for themselves change."""
    assert r"[kK][a-z]\w{0,8}(?:[eE])" == in_any_case(r"k[a-z]\w{0,8}(?:e)")
