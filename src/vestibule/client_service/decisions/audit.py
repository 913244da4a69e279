"""Records the decisions of a screener: in the decision log, in the counts of clean ones, and for who listens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.contracts.decisions import MAX_RECORDED_FINDINGS, Action, DecisionKind, DecisionRecord, RecordedFinding
from vestibule.policy import DecidedFinding, Decision, Situation
from vestibule.policy.decision import value_of
from vestibule.policy.decision_log import DecisionLog
from vestibule.runtime.log_context import log_fields
from vestibule.runtime.random_ids import random_id

Treated = tuple[DecidedFinding, Action | None]


class ReceiptMaker(Protocol):
    """Signs receipts. A worker has none: nobody asks it for one."""

    def sign_decision(
        self, decision_id: str, decision: Decision, situation: Situation, detectors: str, request_id: str | None
    ) -> str:
        """Return the receipt of a decision that was just made."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionAudit:
    """Records decisions. A record holds kinds, scores, actions, ids and keyed fingerprints, and no text."""

    log: DecisionLog
    publisher: DecisionPublisher
    fingerprint: Callable[[str, str], str]
    detectors_version: str
    signer: ReceiptMaker | None = None
    # The host, by which its alerts are found.
    replica: str | None = None

    def record(
        self,
        decision: Decision,
        situation: Situation,
        texts: Mapping[str, str],
        key_prefix: str | None = None,
        alert_id: str | None = None,
    ) -> str:
        """Record a decision about `texts`, by field, and return its id."""
        decision_id = random_id()
        if decision.findings or decision.is_kept:
            record = self._record_of(decision_id, decision, situation, texts, key_prefix, alert_id)
            self.log.record(record)
            if self.publisher.is_heard and self.publisher.takes(_kind_of(decision, situation)):
                self.publisher.put(record)
            return decision_id
        self.log.clean[situation.tenant, situation.route, decision.policy_version, self.detectors_version] += 1
        if self.publisher.is_heard and self.publisher.takes(_kind_of(decision, situation)):
            self.publisher.put(self._record_of(decision_id, decision, situation, texts, key_prefix, alert_id))
        return decision_id

    def receipt_of(self, decision_id: str, decision: Decision, situation: Situation) -> str:
        """Return the receipt of a decision that was just recorded."""
        if self.signer is None:
            raise RuntimeError("this part signs no receipts")
        request_id = log_fields().get("request_id")
        return self.signer.sign_decision(decision_id, decision, situation, self.detectors_version, request_id)

    def _record_of(  # noqa: PLR0917 - what a record has
        self,
        decision_id: str,
        decision: Decision,
        situation: Situation,
        texts: Mapping[str, str],
        key_prefix: str | None,
        alert_id: str | None,
    ) -> DecisionRecord:
        bound = log_fields()
        listed = listed_findings(decision.with_withheld)
        # Its members are our own.
        return DecisionRecord.model_construct(
            time=datetime.now(UTC),
            decision_id=decision_id,
            request_id=bound.get("request_id"),
            token_id=situation.token_id,
            token_name=situation.token_name,
            tenant=situation.tenant,
            task_id=situation.task_id or bound.get("task_id"),
            route=situation.route,
            key_prefix=key_prefix,
            policy=decision.policy_version,
            detectors=self.detectors_version,
            outcome=decision.outcome,
            action=decision.strictest,
            alert_id=alert_id,
            replica=None if alert_id is None else self.replica,
            findings=[self._finding(one, withheld, texts, situation.tenant) for one, withheld in listed],
            omitted=len(decision.findings) - len(listed),
        )

    def _finding(
        self, one: DecidedFinding, withheld: Action | None, texts: Mapping[str, str], tenant: str
    ) -> RecordedFinding:
        return RecordedFinding.model_construct(
            entity=one.found.entity,
            score=round(one.found.score, 3),
            field=one.field,
            action=one.action,
            would_have=withheld,
            fingerprint=self.fingerprint(value_of(one, texts), tenant),
            rule=one.rule,
            rule_id=one.rule_id,
            allowance=one.allowance,
        )


def _kind_of(decision: Decision, situation: Situation) -> DecisionKind:
    return DecisionKind(
        situation.tenant,
        situation.route,
        situation.token_id,
        situation.token_name,
        decision.outcome,
        decision.strictest,
        tuple(sorted({one.found.entity for one in decision.findings})) if decision.findings else (),
    )


def listed_findings(treated: Sequence[Treated]) -> Sequence[Treated]:
    """Return the findings that a record lists: all, or of too many the first of each kind and then others in order."""
    if len(treated) <= MAX_RECORDED_FINDINGS:
        return treated
    first: dict[tuple[str | None, ...], int] = {}
    for place, (one, withheld) in enumerate(treated):
        first.setdefault((one.found.entity, one.action, withheld, one.rule_id, one.allowance), place)
    places = dict.fromkeys([*first.values(), *range(len(treated))])
    return [treated[place] for place in sorted(list(places)[:MAX_RECORDED_FINDINGS])]
