"""Overlaps have one winner, and redaction leaves nothing of what was found."""

from vestibule.detection import Explanation, Finding, redact
from vestibule.detection.finding import resolve


def _resolve(*findings: Finding) -> list[Finding]:
    return [e.finding for e in resolve(Explanation(f, "rule", None, ()) for f in findings)]


def test_surest_wins() -> None:
    """A clearly higher score beats a longer claim."""
    assert [Finding("A", 2, 4, 0.95)] == _resolve(Finding("B", 0, 9, 0.55), Finding("A", 2, 4, 0.95))


def test_longest_wins_among_equally_sure() -> None:
    """Scores of the same fifth count as equal."""
    assert [Finding("B", 0, 9, 0.62)] == _resolve(Finding("A", 2, 4, 0.75), Finding("B", 0, 9, 0.62))


def test_order_of_input_does_not_matter() -> None:
    """The same findings in another order give the same winners."""
    findings = [Finding("B", 0, 4, 0.7), Finding("A", 0, 4, 0.7), Finding("C", 4, 6, 0.6)]
    assert [Finding("A", 0, 4, 0.7), Finding("C", 4, 6, 0.6)] == _resolve(*findings) == _resolve(*reversed(findings))


def test_redaction_names_each_finding() -> None:
    """Every finding becomes its entity; what overlaps becomes one."""
    assert "<A> b <C>." == redact("aa b cc.", [Finding("C", 5, 7, 0.9), Finding("A", 0, 2, 0.9)])
    assert "<B>x" == redact("aaaax", [Finding("A", 0, 3, 0.5), Finding("B", 2, 4, 0.9)])
