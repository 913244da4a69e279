"""What people and callers are told about a decision: the words of alerts, and findings as JSON members."""

from collections.abc import Mapping
from typing import Any

from vestibule.policy import Action, DecidedFinding, Decision, Outcome
from vestibule.policy.rule_index import LIST_MARK

# The result of a processor. It is screened like input, in the situation of the request that asked for it.
RESULT_FIELD = "result"
ACTION_WORDS = {
    Action.REDACT: "redacted",
    Action.HASH: "hashed",
    Action.TOKENIZE: "tokenized",
    Action.NUMBER: "numbered",
    Action.FAKE: "replaced by a fake",
    Action.MASK: "masked",
    Action.ALERT: "unchanged",
    Action.IGNORE: "ignored",
}


def consequence_of(decision: Decision, texts: Mapping[str, str]) -> str:
    """Return what became of the texts of a request, or of a result."""
    what = "result" if RESULT_FIELD in texts else "request"
    if decision.outcome is Outcome.BLOCKED:
        return f"the {what} was rejected"
    if decision.is_dry_run:
        return f"the {what} was accepted unchanged in a dry run; the policy says {decision.strictest_withheld}"
    actions = ", ".join(f"{entity} {ACTION_WORDS[action]}" for entity, action in decision.actions.items())
    return f"the {what} was accepted with {actions}"


def name_of(field: str) -> str:
    """Return a field in words: those of a list are counted from 1."""
    name, mark, number = field.rpartition(LIST_MARK)
    return f"{name} (number {int(number) + 1})" if mark and number.isdecimal() else field


def views_of(decision: Decision) -> list[dict[str, Any]]:
    """Return the findings as JSON members: kind, position and action, never the text."""
    views = []
    for one, withheld in decision.with_withheld:
        view = {
            "entity": one.found.entity,
            "start": one.found.start,
            "end": one.found.end,
            "score": round(one.found.score, 3),
            "field": one.field,
            "action": one.action,
        }
        views.append(view if withheld is None else {**view, "would_have": withheld})
    return views


def entities_in(decided: list[DecidedFinding]) -> str:
    """Return the entities of findings, each once."""
    return ", ".join(sorted({one.found.entity for one in decided}))
