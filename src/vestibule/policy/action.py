"""The actions on a finding, and their order of strictness."""

from enum import StrEnum


class Action(StrEnum):
    """An action on a finding, the strictest first."""

    BLOCK = "block"
    REDACT = "redact"
    HASH = "hash"
    TOKENIZE = "tokenize"
    MASK = "mask"
    ALERT = "alert"
    IGNORE = "ignore"

    @property
    def changes_text(self) -> bool:
        """Say whether the action replaces the finding in the text."""
        return self in REPLACING


class RuleSeverity(StrEnum):
    """How soon a person should look, the least urgent first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


STRICTNESS = {action: place for place, action in enumerate(reversed(Action))}
URGENCY = {severity: place for place, severity in enumerate(RuleSeverity)}
REPLACING = frozenset({Action.REDACT, Action.HASH, Action.TOKENIZE, Action.MASK})


def strictest(actions: "list[Action]") -> Action:
    """Return the strictest of some actions, of which there is at least one."""
    return max(actions, key=STRICTNESS.__getitem__)
