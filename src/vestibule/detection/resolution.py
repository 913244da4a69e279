"""Resolves overlapping findings.

Scores that fall into the same fifth count as equally sure. The surest wins; among equally sure ones the longest, then
the one that starts first, then the higher score, then the name of the entity in the order of the alphabet.
"""

from bisect import bisect_left
from collections.abc import Iterable

from vestibule.detection.finding import Explanation


def resolve(found: Iterable[Explanation]) -> list[Explanation]:
    """Keep the winners, in the order of the text."""
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


def _rank(explanation: Explanation) -> tuple[int, int, int, float, str]:
    finding = explanation.finding
    sureness = min(int(finding.score * 5 + 1e-9), 4)
    return -sureness, finding.start - finding.end, finding.start, -finding.score, finding.entity
