"""Builds the screener with the policy that it applies and the audit that it writes to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from vestibule.alerts import AlertEngine
from vestibule.client_service.screening.decision_audit import DecisionAudit
from vestibule.client_service.screening.policy_alerts import PolicyAlerts
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.screening.screening_metrics import ScreeningMetrics
from vestibule.client_service.screening.settings import ScreeningSettings
from vestibule.detection import Scanner
from vestibule.policy.decision_log import DecisionLog
from vestibule.policy.policy import PolicyFile
from vestibule.policy.receipts import ReceiptSigner, ensure_receipt_key, read_receipt_keys
from vestibule.processor_adapters import Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary, version_of_detectors
from vestibule.processor_adapters.settings import open_policy
from vestibule.runtime.background import in_background
from vestibule.service_kit.metrics.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Screening:
    """The screener, the policy that it applies, and the audit that it writes to."""

    screener: Screener
    policies: PolicyFile
    audit: DecisionAudit
    policy_alerts: PolicyAlerts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write the decision log and reload the policy file in the background."""
        self.audit.log.start()
        await self.policy_alerts.alert_change(self.policies.current)
        follow = self.policies.follow(self.policy_alerts.alert_change, self.policy_alerts.alert_invalid)
        try:
            async with in_background(follow):
                yield
        finally:
            await asyncio.to_thread(self.audit.log.close)


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
    audit = _build_audit(settings, pseudonymizer.fingerprint)
    screener = Screener(
        scanner,
        lambda: policies.current,
        alerts,
        audit,
        pseudonymizer,
        secrets=vocabulary.groups[SECRETS],
        on_decision=ScreeningMetrics(metrics).count_decision,
    )
    return Screening(screener, policies, audit, PolicyAlerts(alerts))


def _build_audit(settings: ScreeningSettings, fingerprint: Callable[[str], str]) -> DecisionAudit:
    # An operator who names a key file manages it; without one, the key is created here.
    if settings.receipt_key_file is None:
        ensure_receipt_key(settings.receipt_key_path)
    version = version_of_detectors(settings.detection)
    log = structlog.get_logger("vestibule.decisions")

    def report_failure(error: OSError, lines: int) -> None:
        log.error("decisions_not_recorded", error=type(error).__name__, errno=error.errno, lines=lines)

    return DecisionAudit(
        DecisionLog(settings.decision_dir, settings.decision_keep_days, report_failure),
        ReceiptSigner(read_receipt_keys(settings.receipt_key_path), version),
        fingerprint,
        version,
    )
