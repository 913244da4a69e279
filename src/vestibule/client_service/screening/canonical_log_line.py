"""Adds the screening decision and the entities found to the canonical log line of a request."""

import structlog

from vestibule.policy import Action, Decision
from vestibule.policy.decision import strictest

CLEAN = "clean"


def log_decision(decision: Decision) -> None:
    """Add a decision to the log line of this request: the strictest of several texts, and the entities of all."""
    before = structlog.contextvars.get_contextvars()
    if not decision.findings:
        if "decision" not in before:
            structlog.contextvars.bind_contextvars(decision=CLEAN)
        return
    actions = [one.action for one in decision.findings]
    if before.get("decision", CLEAN) != CLEAN:
        actions.append(Action(before["decision"]))
    entities = {one.found.entity for one in decision.findings}.union(before.get("entities", ()))
    structlog.contextvars.bind_contextvars(decision=str(strictest(actions)), entities=sorted(entities))
