"""Findings: the entity, offsets and score of what the scanner found."""

from typing import Any, NamedTuple


class Finding(NamedTuple):
    """One piece of personal data or one secret; offsets are code points of the text as it was given."""

    entity: str
    start: int
    end: int
    score: float

    def as_dict(self) -> dict[str, Any]:
        """Give the finding as it travels in JSON."""
        return {"entity": self.entity, "start": self.start, "end": self.end, "score": round(self.score, 3)}


class Explanation(NamedTuple):
    """Why a finding was made: never a character of the text itself except the context words of the rule."""

    finding: Finding
    rule: str
    check: str | None
    context: tuple[str, ...]
    decoded_from: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give the finding with its reasons as it travels in JSON."""
        reasons = {
            "rule": self.rule,
            "check": self.check,
            "context": list(self.context),
            "decoded_from": self.decoded_from,
        }
        return {**self.finding.as_dict(), "because": reasons}
