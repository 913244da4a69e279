"""Builds the screener, its policy and the audit of its decisions, and runs them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.allowances.allowances import Allowances
from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.decisions.settings import DecisionSettings, open_decision_log
from vestibule.client_service.decisions.shipping import DecisionReceiver, DecisionShipper
from vestibule.client_service.decisions.stream import DecisionStream
from vestibule.client_service.policies.drafts import PolicyDrafts
from vestibule.client_service.policies.since import PolicySince
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.screening.settings import ScreeningSettings
from vestibule.contracts.decisions import DecisionRecord
from vestibule.database_client.entries import EntryClient
from vestibule.detection import Scanner
from vestibule.encryption import Fingerprinter, KeyRingSource
from vestibule.policy import Decision, InvalidPolicy, Policy, Situation
from vestibule.policy.allowances import AllowanceList
from vestibule.policy.policy import PolicyFile
from vestibule.policy.receipts import DecidedFacts, ReceiptSigner, ensure_receipt_key, read_receipt_keys
from vestibule.processor_adapters import Pseudonymizer
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary, version_of_detectors
from vestibule.processor_adapters.settings import open_policy
from vestibule.runtime.background import in_background
from vestibule.service_kit.metrics.metrics import Metrics


class DecisionSigner:
    """Signs receipts of decisions, at once and of those that were recorded, and of erasures."""

    def __init__(self, signer: ReceiptSigner) -> None:
        self._signer = signer
        self.public_keys = signer.public_keys

    def sign_decision(
        self, decision_id: str, decision: Decision, situation: Situation, detectors: str, request_id: str | None
    ) -> str:
        """Return the receipt of a decision that was just made."""
        withheld = decision.withheld if decision.is_dry_run else None
        versions = (situation.route, decision.policy_version, detectors)
        facts = (decision.outcome, decision.actions, withheld)
        return self._signer.sign(DecidedFacts(decision_id, time.time(), request_id, *versions, *facts))

    def sign_record(self, record: DecisionRecord) -> str:
        """Return the receipt of a decision that was recorded."""
        return self._signer.sign(DecidedFacts.of_record(record))

    def sign_head(self, seq: int, line_hash: str) -> str:
        """Return the signed number and hash of the last line of the audit."""
        return self._signer.sign_head(seq, line_hash)

    def sign_erasure(self, claims: Mapping[str, Any]) -> str:
        """Return the receipt of an erasure with these claims, which have nothing of the value but its fingerprint."""
        return self._signer.sign_erasure(claims)


# Gets the version of the policy before, None where it is not known, and that of the policy in force.
PolicyRecorder = Callable[[str | None, str], Awaitable[None]]


@dataclass(slots=True)
class PolicyChanges:
    """Where changes of the policy are recorded, and the version that was in force last."""

    record: PolicyRecorder | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """The screener, the policy that it applies, and the audit that it writes to."""

    screener: Screener
    policies: PolicyFile
    audit: DecisionAudit
    signer: DecisionSigner
    alerts: AlertEngine
    drafts: PolicyDrafts
    since: PolicySince
    changes: PolicyChanges = field(default_factory=PolicyChanges)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write the decision log and reload the policy file in the background."""
        self.audit.log.start()
        await self._log_policy(self.policies.current)
        try:
            async with in_background(self.policies.follow(self._take_policy, self._alert_invalid)):
                yield
        finally:
            await asyncio.to_thread(self.audit.log.close)

    async def start_decisions(
        self, settings: DecisionSettings, client: DecisionReceiver, redis: Redis, stack: AsyncExitStack
    ) -> DecisionStream:
        """Ship decisions to the database service, publish them while somebody listens; return the stream of all."""
        stream = DecisionStream(redis)
        shipper = DecisionShipper(settings.decision_dir, settings.decision_keep_days, client)
        for running in (shipper.running(), self.audit.publisher.running(redis), stream.running()):
            await stack.enter_async_context(running)
        return stream

    async def follow_allowances(
        self, store: EntryClient, redis: Redis, ring: KeyRingSource, stack: AsyncExitStack
    ) -> Allowances:
        """Let the values pass that the store allows, from now on until `stack` ends."""
        known = self.screener.allowances = AllowanceList(Fingerprinter(ring).fingerprints_of)
        allowances = Allowances(store, redis, ring, known)
        await stack.enter_async_context(allowances.running())
        return allowances

    async def audit_policy(self, record: PolicyRecorder) -> None:
        """Record the policy in force, and from now on each one that takes its place, with both versions."""
        self.changes.record, self.changes.version = record, self.policies.current.version
        await record(None, self.policies.current.version)

    async def _take_policy(self, policy: Policy) -> None:
        await self._log_policy(policy)
        if self.changes.record is not None:
            before, self.changes.version = self.changes.version, policy.version
            await self.changes.record(before, policy.version)

    async def _log_policy(self, policy: Policy) -> None:
        await asyncio.to_thread(self.since.note, policy.version)
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
    settings: ScreeningSettings,
    scanner: Scanner,
    alerts: AlertEngine,
    pseudonymizer: Pseudonymizer,
    metrics: Metrics,
    *,
    replica: str,
) -> Screening:
    """Return the screener with its policy and audit; `replica` is the host that records the alerts.

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
    signer = DecisionSigner(ReceiptSigner(read_receipt_keys(settings.receipt_key_path)))
    log = open_decision_log(settings)
    audit = DecisionAudit(log, DecisionPublisher(RateCounter(log)), pseudonymizer.fingerprint, version, signer, replica)
    screener = Screener(scanner, policies, alerts, audit, pseudonymizer, vocabulary.groups[SECRETS], metrics)
    drafts = PolicyDrafts(settings.policy_path, vocabulary, settings.fallback_policy)
    since = PolicySince(settings.data_dir / "policy_since.json")
    return Screening(screener, policies, audit, signer, alerts, drafts, since)
