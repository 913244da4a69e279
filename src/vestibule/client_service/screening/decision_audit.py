"""Records decisions: each gets an id, a line in the decision log, and a receipt."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from vestibule.alerts import current_origin
from vestibule.policy import Decision, Situation
from vestibule.policy.decision import value_of
from vestibule.policy.decision_log import DecisionLog, DecisionRecord, RecordedFinding
from vestibule.policy.receipts import ReceiptSigner


@dataclass(frozen=True, slots=True)
class DecisionAudit:
    """Records the screener's decisions. The log holds kinds, scores, actions and keyed fingerprints, and no text."""

    log: DecisionLog
    signer: ReceiptSigner
    fingerprint: Callable[[str], str]
    detectors_version: str

    def record(self, decision: Decision, situation: Situation, texts: Mapping[str, str], key_prefix: str | None) -> str:
        """Record a decision about `texts`, by field, and return its receipt."""
        decision_id = secrets.token_hex(8)
        request_id = current_origin()["request_id"]
        if decision.findings:
            findings = self._findings(decision, texts)
            record = DecisionRecord.model_construct(
                time=datetime.now(UTC),
                decision_id=decision_id,
                request_id=request_id,
                token_id=situation.token_id,
                route=situation.route,
                key_prefix=key_prefix,
                policy=decision.policy_version,
                detectors=self.detectors_version,
                findings=findings,
            )
            self.log.record(record)
        else:
            self.log.count_clean(situation.route, decision.policy_version, self.detectors_version)
        return self.signer.sign(decision_id, decision, request_id=request_id, route=situation.route)

    def _findings(self, decision: Decision, texts: Mapping[str, str]) -> list[RecordedFinding]:
        return [
            RecordedFinding.model_construct(
                entity=one.found.entity,
                score=round(one.found.score, 3),
                field=one.field,
                action=one.action,
                would_have=withheld,
                fingerprint=self.fingerprint(value_of(one, texts)),
            )
            for one, withheld in decision.with_withheld
        ]
