"""Screens the results of processors: the policy is applied before a caller can read one."""

import asyncio
from collections.abc import Callable
from typing import Any

from vestibule.alerts import Alert, build_alert_engine
from vestibule.client_service.allowances.copy import CopiedAllowances
from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.decisions.settings import open_decision_log
from vestibule.client_service.screening.descriptions import RESULT_FIELD
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.settings import WorkerSettings
from vestibule.contracts.errors import ResultRefused, ScanImpossible, TooLarge
from vestibule.contracts.tasks import WorkOrigin
from vestibule.detection import DetectionError, DetectorFailed, Scanner
from vestibule.policy.policy import PolicyFile
from vestibule.processing import CannotProcess, ProcessingInterrupted
from vestibule.processor_adapters import Pseudonymizer, situation_of
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary, version_of_detectors
from vestibule.runtime.log_context import bound_log_fields, log_fields
from vestibule.service_kit.metrics.metrics import AlertMetrics, Metrics


class ResultTooLarge(CannotProcess):
    """The result is longer than the scanner's limit."""


class ResultNotAllowed(CannotProcess):
    """The policy blocks the result."""

    kind = "ResultRefused"


class ResultScreener:
    """Applies the policy to results by the origin of the work. Each process of a worker's pool has one."""

    def __init__(  # noqa: PLR0917 - each is a part of its own
        self,
        name: str,
        settings: WorkerSettings,
        scanner: Scanner,
        policies: PolicyFile,
        pseudonymizer: Pseudonymizer,
        allowances: CopiedAllowances | None = None,
    ) -> None:
        """Take the parts. Nothing is opened here, so that the processes of a pool can be forked with it."""
        self._scanner = scanner
        self._policies = policies
        log = open_decision_log(settings)
        self.audit = DecisionAudit(
            log,
            DecisionPublisher(RateCounter(log)),
            pseudonymizer.fingerprint,
            version_of_detectors(settings.detection),
            replica=settings.replica,
        )
        self._screener = Screener(
            scanner,
            policies,
            build_alert_engine(name, settings, self._on_alert),
            self.audit,
            pseudonymizer,
            secrets=read_vocabulary(settings.detection).groups[SECRETS],
            allowances=None if allowances is None else allowances.known,
        )
        self._allowances = allowances
        self._count_alert: Callable[[Alert], None] | None = None

    def count_into(self, metrics: Metrics) -> None:
        """Count findings and alerts from now on; each process of a pool has its own metrics."""
        # It sends no notifications, so there are no deliveries to expect.
        self._count_alert = AlertMetrics(metrics, ()).count_alert
        self._screener.metrics = metrics

    def begin(self, redis: Any) -> None:
        """Follow policy file and allowances, and publish decisions, in threads of this process of the pool."""
        if self._allowances is not None:
            self._allowances.start_thread(redis)
        self.follow_policy()
        self.audit.publisher.start_thread(redis)

    def follow_policy(self) -> None:
        """Reload the policy file from now on, in a thread of this process."""
        self._policies.follow_in_thread()

    def ttl_of(self, key: str, result: str) -> float | None:
        """Return the time to live that the policy gives to a result under `key`, in seconds; None for no end.

        `result` is as the processor returned it, and was screened before.
        """
        retention = self._policies.current.retention
        if retention is None:
            return None
        return retention.ttl_of(key, {one.entity for one in self._scanner.scan(result, key=key)}, None)

    def screen_result(self, result: str, origin: WorkOrigin) -> str:
        """Return a result as the policy changes it; most have no findings, and cost one scan.

        Raises:
            ResultNotAllowed: the policy rejects it; the alert is on disk.
            ResultTooLarge: it is longer than the scanner accepts.
            ProcessingInterrupted: the scan did not finish in time.
            ScanImpossible: a detector failed on it.
        """
        try:
            if not self._scanner.scan(result, key=origin.key):
                return result
        except DetectionError:
            pass  # the screener raises the reason
        try:
            task_id = log_fields().get("task_id")
            situation = situation_of(origin)._replace(task_id=task_id)
            with bound_log_fields(token_id=origin.token_id, token_name=origin.token_name, tenant=origin.tenant):
                return asyncio.run(self._screener.screen(situation, RESULT_FIELD, result)).text
        except ResultRefused as refusal:
            raise ResultNotAllowed("the policy rejects the result") from refusal
        except TooLarge as error:
            raise ResultTooLarge("the result is longer than the scanner accepts") from error
        except ScanImpossible as error:
            if isinstance(error.__cause__, DetectorFailed):
                raise  # it would fail again
            raise ProcessingInterrupted("the scan of the result did not finish in time") from error

    def _on_alert(self, alert: Alert) -> None:
        if self._count_alert is not None:
            self._count_alert(alert)
