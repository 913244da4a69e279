"""What the door adds to the one line that the log has of a request: what was decided, and over which kinds."""

import structlog

from vestibule.policy import Action, Decision
from vestibule.policy.action import strictest

CLEAN = "clean"


def log_decision(decision: Decision) -> None:
    """Have the line of this request say what was decided: of several texts the strictest, and the kinds of all."""
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
