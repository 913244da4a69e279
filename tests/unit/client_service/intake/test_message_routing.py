"""Which messages are answered at once is a rule of the settings; the first that fits holds."""

import pytest
from pydantic import ValidationError

from vestibule.client_service.intake.message_routing import Destination, MessageRoute, MessageRoutes, Mode

QUEUE, LOGIC = Destination.QUEUE, Destination.BUSINESS_LOGIC


def _choose(rules: list[dict[str, object]], text: str, mode: Mode | None = None, processor: str = "uppercase") -> str:
    routes = MessageRoutes([MessageRoute.model_validate(rule) for rule in rules], ["uppercase", "normalize"])
    return routes.choose(mode, processor, text)


def test_without_rules_the_caller_decides() -> None:
    """`mode: sync` is answered at once, anything else goes into the background."""
    assert [QUEUE, QUEUE, LOGIC] == [_choose([], "x", mode) for mode in (None, "async", "sync")]


@pytest.mark.parametrize(
    ("rule", "fits", "does_not"),
    [
        ({"max_chars": 3}, ("abc",), ("abcd",)),
        ({"min_chars": 3}, ("abc",), ("ab",)),
        ({"min_chars": 2, "max_chars": 2}, ("🔑🔑",), ("🔑",)),
        ({"prefixes": ["now:", "!"]}, ("!x",), ("x!",)),
        ({"processors": ["normalize"]}, ("x", None, "normalize"), ("x", None, "uppercase")),
        ({"mode": "async"}, ("x", "async"), ("x", None)),
        ({"prefixes": ["now:"], "max_chars": 5}, ("now:1",), ("now:12",)),
    ],
)
def test_a_rule_holds_for_what_is_all_that_it_says(
    rule: dict[str, object], fits: tuple[str, ...], does_not: tuple[str, ...]
) -> None:
    """By length, prefix, processor or the caller's wish, and all of them together."""
    rules = [{"to": "business_logic", **rule}]
    assert (LOGIC, QUEUE) == (_choose(rules, *fits), _choose(rules, *does_not))  # type: ignore[arg-type]


def test_the_first_rule_that_fits_holds() -> None:
    """An exception stands before its rule; a rule of the settings goes before the caller's wish."""
    rules: list[dict[str, object]] = [{"to": "queue", "prefixes": ["later"]}, {"to": "business_logic", "max_chars": 9}]
    assert [QUEUE, LOGIC] == [_choose(rules, text) for text in ("later", "sooner")]
    assert QUEUE == _choose([{"to": "queue"}], "x", "sync")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"to": "nowhere"},
        {"to": "queue", "length": 3},
        {"to": "queue", "min_chars": 4, "max_chars": 3},
        {"to": "queue", "prefixes": [""]},
        {"to": "queue", "mode": "maybe"},
    ],
)
def test_a_rule_that_is_none_is_refused(rule: dict[str, object]) -> None:
    """At the start, and not at the first message."""
    with pytest.raises(ValidationError):
        MessageRoute.model_validate(rule)


def test_a_rule_about_an_unknown_processor_is_refused() -> None:
    """It would never fit."""
    with pytest.raises(ValueError, match="rule 1: no processor upercase; known are normalize, uppercase"):
        _choose([{"to": "queue", "processors": ["upercase"]}], "x")
