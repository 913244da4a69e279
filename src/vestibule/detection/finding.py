"""Findings: what the scanner found, which of two overlapping ones counts, and redaction."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """One piece of personal data or one secret; offsets are code points of the original text."""

    entity: str
    start: int
    end: int
    score: float

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as it is written in JSON."""
        return {"entity": self.entity, "start": self.start, "end": self.end, "score": round(self.score, 3)}


class Explanation(NamedTuple):
    """Why a finding was made; of the text itself it holds only the labels near the value."""

    finding: Finding
    rule: str
    check: str | None
    context: tuple[str, ...]
    decoded_from: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the finding with its reasons as it is written in JSON."""
        reasons = {
            "rule": self.rule,
            "check": self.check,
            "context": list(self.context),
            "decoded_from": self.decoded_from,
        }
        return {**self.finding.as_dict(), "because": reasons}


def resolve(found: Iterable[Explanation]) -> list[Explanation]:
    """Choose between overlapping findings; return the winners in the order of the text.

    Scores in the same fifth count as equal. The highest score wins; among equal scores the longest finding, then the
    first, then the higher exact score, then what was not decoded, then the entity that comes first in the alphabet.
    """
    winners: list[Explanation] = []
    overlapping: list[Explanation] = []
    reached = -1
    for explanation in sorted(found, key=_start):
        finding = explanation.finding
        if finding.start >= reached and overlapping:
            winners += overlapping if len(overlapping) == 1 else _choose_winners(overlapping)
            overlapping = []
        overlapping.append(explanation)
        reached = max(reached, finding.end)
    winners += overlapping if len(overlapping) == 1 else _choose_winners(overlapping)
    return winners


def _start(explanation: Explanation) -> int:
    return explanation.finding.start


def _choose_winners(overlapping: Iterable[Explanation]) -> list[Explanation]:
    winners: list[Explanation] = []
    starts: list[int] = []
    for explanation in sorted(overlapping, key=_rank):
        finding = explanation.finding
        at = bisect_left(starts, finding.start)
        if at < len(starts) and starts[at] < finding.end:
            continue
        if at and winners[at - 1].finding.end > finding.start:
            continue
        starts.insert(at, finding.start)
        winners.insert(at, explanation)
    return winners


def _rank(explanation: Explanation) -> tuple[int, int, int, float, bool, str]:
    finding = explanation.finding
    sureness = min(int(finding.score * 5 + 1e-9), 4)
    is_decoded = explanation.decoded_from is not None
    return -sureness, finding.start - finding.end, finding.start, -finding.score, is_decoded, finding.entity


def redact(text: str, findings: Iterable[Finding]) -> str:
    """Replace each finding by `<ENTITY>`; overlapping findings become one, named after the highest score."""
    merged: list[Finding] = []
    for finding in sorted(findings, key=lambda f: (f.start, -f.end)):
        if merged and finding.start < merged[-1].end:
            last = merged[-1]
            surest = max(last, finding, key=lambda f: f.score)
            merged[-1] = surest._replace(start=last.start, end=max(last.end, finding.end))
        else:
            merged.append(finding)
    parts: list[str] = []
    at = 0
    for finding in merged:
        parts += text[at : finding.start], f"<{finding.entity}>"
        at = finding.end
    return "".join([*parts, text[at:]])
