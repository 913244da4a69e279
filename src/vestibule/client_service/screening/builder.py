"""Builds the screener, its policy and the audit of its decisions, and runs them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.screening.settings import ScreeningSettings
from vestibule.detection import Scanner
from vestibule.policy import Decision, InvalidPolicy, Policy, Situation
from vestibule.policy.decision import value_of
from vestibule.policy.decision_log import DecisionLog, DecisionRecord, RecordedFinding
from vestibule.policy.policy import PolicyFile
from vestibule.policy.receipts import ReceiptSigner, ensure_receipt_key, read_receipt_keys
from vestibule.processor_adapters import Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary, version_of_detectors
from vestibule.processor_adapters.settings import open_policy
from vestibule.runtime.background import in_background
from vestibule.service_kit.metrics.metrics import Metrics


@dataclass(frozen=True, slots=True)
class DecisionAudit:
    """Records the screener's decisions. The log holds kinds, scores, actions and keyed fingerprints, and no text."""

    log: DecisionLog
    signer: ReceiptSigner
    fingerprint: Callable[[str, str], str]
    detectors_version: str

    def record(self, decision: Decision, situation: Situation, texts: Mapping[str, str], key_prefix: str | None) -> str:
        """Record a decision about `texts`, by field, and return its receipt."""
        decision_id = secrets.token_hex(8)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        if decision.findings:
            record = DecisionRecord.model_construct(
                time=datetime.now(UTC),
                decision_id=decision_id,
                request_id=request_id,
                token_id=situation.token_id,
                route=situation.route,
                key_prefix=key_prefix,
                policy=decision.policy_version,
                detectors=self.detectors_version,
                findings=self._findings(decision, texts, situation.tenant),
            )
            self.log.record(record)
        else:
            self.log.clean[situation.route, decision.policy_version, self.detectors_version] += 1
        return self.signer.sign(decision_id, decision, request_id=request_id, route=situation.route)

    def _findings(self, decision: Decision, texts: Mapping[str, str], tenant: str) -> list[RecordedFinding]:
        return [
            RecordedFinding.model_construct(
                entity=one.found.entity,
                score=round(one.found.score, 3),
                field=one.field,
                action=one.action,
                would_have=withheld,
                fingerprint=self.fingerprint(value_of(one, texts), tenant),
            )
            for one, withheld in decision.with_withheld
        ]


@dataclass(frozen=True, slots=True)
class Screening:
    """The screener, the policy that it applies, and the audit that it writes to."""

    screener: Screener
    policies: PolicyFile
    audit: DecisionAudit
    alerts: AlertEngine

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write the decision log and reload the policy file in the background."""
        self.audit.log.start()
        await self._log_policy(self.policies.current)
        try:
            async with in_background(self.policies.follow(self._log_policy, self._alert_invalid)):
                yield
        finally:
            await asyncio.to_thread(self.audit.log.close)

    async def _log_policy(self, policy: Policy) -> None:
        log = structlog.get_logger("vestibule.policy")
        write = log.warning if policy.is_dry_run else log.info
        write("policy_loaded", policy=policy.version, dry_run=policy.is_dry_run, rules=len(policy.rules))

    async def _alert_invalid(self, broken: InvalidPolicy) -> None:
        log = structlog.get_logger("vestibule.policy")
        log.error("policy_invalid", file=broken.path.name, line=broken.line, reason=broken.reason)
        line = f"line {broken.line}: " if broken.line else ""
        await self.alerts.raise_alert(
            AlertType.POLICY_BROKEN,
            f"The policy file {broken.path.name} is invalid; the previous policy stays active. {line}{broken.reason}",
        )


def build_screening(
    settings: ScreeningSettings, scanner: Scanner, alerts: AlertEngine, pseudonymizer: Pseudonymizer, metrics: Metrics
) -> Screening:
    """Return the screener with its policy and audit.

    Raises:
        InvalidPolicy: the policy file is invalid.
        ReceiptKeyUnreadable: the key of receipts cannot be read.
        ValueError: the settings name an entity that does not exist.
    """
    vocabulary = read_vocabulary(settings.detection)
    policies = open_policy(settings, vocabulary)
    # An operator who names a key file manages it; without one, the key is created here.
    if settings.receipt_key_file is None:
        ensure_receipt_key(settings.receipt_key_path)
    version = version_of_detectors(settings.detection)
    signer = ReceiptSigner(read_receipt_keys(settings.receipt_key_path), version)
    log = DecisionLog(settings.decision_dir, settings.decision_keep_days, _log_failure)
    audit = DecisionAudit(log, signer, pseudonymizer.fingerprint, version)
    screener = Screener(scanner, policies, alerts, audit, pseudonymizer, vocabulary.groups[SECRETS], metrics)
    return Screening(screener, policies, audit, alerts)


def _log_failure(error: OSError, lines: int) -> None:
    log = structlog.get_logger("vestibule.decisions")
    log.error("decisions_not_recorded", error=type(error).__name__, errno=error.errno, lines=lines)
