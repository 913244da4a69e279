"""Says what the policy would do with a text, and does nothing of it: no record, no alert, no metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from vestibule.client_service.screening.screener import LARGE_TEXT_CHARS, Screener
from vestibule.policy import Decision, Outcome, Situation
from vestibule.policy.anonymizer import AnonymizerOperators, anonymize
from vestibule.policy.decision import FindingLike

FIELD = "value"

# In place of pseudonyms. Real ones would let a caller try values until one has the pseudonym that it knows, and no
# alert would tell; only what stores a value makes them.
_SHOWN = AnonymizerOperators(
    hash=lambda _value, entity: f"<{entity}#\N{HORIZONTAL ELLIPSIS}>",
    tokenize=lambda _value, entity: f"<{entity}.v1.\N{HORIZONTAL ELLIPSIS}>",
    number=lambda _value, entity: f"<{entity}_\N{HORIZONTAL ELLIPSIS}>",
    fake=lambda _value, entity: f"<a fake {entity}>",
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the policy would do: its decision, and the text as it would be stored, None where it would be rejected."""

    decision: Decision
    text: str | None


async def preview(screener: Screener, situation: Situation, text: str, findings: Sequence[FindingLike]) -> Preview:
    """Return what the policy in force and the allowances would do with a text that has these findings."""
    decision = screener.policies.current.decide(situation, {FIELD: findings})
    allowances = screener.allowances
    if decision.findings and allowances is not None and allowances.known:
        decision = allowances.apply_to(decision, {FIELD: text}, situation.tenant)
    if decision.outcome is Outcome.BLOCKED:
        return Preview(decision, None)
    if not decision.findings:
        return Preview(decision, text)
    change = partial(anonymize, text, decision.findings, _SHOWN)
    return Preview(decision, await screener.in_thread(change) if len(text) > LARGE_TEXT_CHARS else change())
