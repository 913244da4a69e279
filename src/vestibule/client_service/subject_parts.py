"""Wires the search for subjects and their erasure: every place that keeps texts of callers is named here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis

from vestibule.alerts.store.reasons import AlertReasons
from vestibule.client_service.conversations.store import OWNER as CONVERSATION_OWNER
from vestibule.client_service.erasure import (
    FINDS_OWNER,
    Erasure,
    ErasureRecords,
    ErasureStages,
    ServiceRecords,
    SubjectService,
)
from vestibule.client_service.erasure import OWNER as ERASURE_OWNER
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.idempotency import ERASED
from vestibule.client_service.idempotency import OWNER as IDEMPOTENCY_OWNER
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.screening.builder import Screening
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.bulk import OWNER as BULK_OWNER
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.webhooks.dispatcher import OWNER as WEBHOOK_OWNER
from vestibule.contracts.allowances import OWNER as ALLOWANCE_OWNER
from vestibule.contracts.identity import SCHEDULER_OWNER
from vestibule.contracts.queue import OWNER as QUEUE_OWNER
from vestibule.contracts.schedules import OWNER as SCHEDULE_OWNER
from vestibule.contracts.subjects import FindKind
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.encryption import Fingerprinter
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.audit.trail import AuditTrail
from vestibule.subject_search import SubjectSearcher

# What services keep for tenants, beside entries, tasks and alerts.
RECORDS = (
    ServiceRecords(IDEMPOTENCY_OWNER, FindKind.REPLY, instead=ERASED),
    ServiceRecords(WEBHOOK_OWNER, FindKind.CALLBACK),
    ServiceRecords(SCHEDULE_OWNER, FindKind.SCHEDULE),
    ServiceRecords(CONVERSATION_OWNER, FindKind.CONVERSATION),
    ServiceRecords(FINDS_OWNER, FindKind.FIND),
    ServiceRecords(SCHEDULER_OWNER, FindKind.REASON, field="reason"),
    ServiceRecords(QUEUE_OWNER, FindKind.REASON, field="reason"),
    ServiceRecords(BULK_OWNER, FindKind.REASON, field="reason"),
    ServiceRecords(ALLOWANCE_OWNER, FindKind.REASON, field="reason"),
)


@dataclass(frozen=True, slots=True)
class SubjectParts:
    """The parts of the service that finding and erasing a subject need."""

    settings: ClientSettings
    screening: Screening
    processors: ProcessorRegistry
    searcher: SubjectSearcher
    fingerprinter: Fingerprinter
    steps: LedgerSteps

    async def start(
        self, transport: DatabaseTransport, redis: Redis, trail: AuditTrail, stack: AsyncExitStack
    ) -> SubjectService:
        """Return the service, whose jobs run until `stack` ends."""
        entries_for, screening = partial(EntryClient, transport), self.screening
        stages = ErasureStages(
            entries_for,
            RECORDS,
            TaskLedgerClient(transport),
            ScheduleService(entries_for(SCHEDULE_OWNER), screening.screener, self.processors),
            redis,
            QueueView(redis),
            self.steps,
            self.searcher,
            AlertReasons(self.settings.alert_record_path, self.settings.report_dir, self.settings.console_url),
            AuditClient(transport),
        )
        stores = ErasureRecords(entries_for(ERASURE_OWNER)), ErasureRecords(entries_for(FINDS_OWNER), find_only=True)
        jobs = [
            Erasure(some, stages, screening.alerts, self._policy_tenants, sign=self._sign, trail=trail)
            for some in stores
        ]
        erasure, finds = [await stack.enter_async_context(_running(job)) for job in jobs]
        return SubjectService(screening.screener, screening.alerts, erasure, finds)

    def _policy_tenants(self) -> frozenset[str]:
        return self.screening.policies.current.tenants

    def _sign(self, record: ErasureRecord) -> str | None:
        value = record.query.value if record.query is not None else ""
        fingerprint = self.fingerprinter.fingerprint(value, record.tenant)
        return self.screening.signer.sign_erasure(record.receipt_claims(fingerprint))


@asynccontextmanager
async def _running(job: Erasure) -> AsyncIterator[Erasure]:
    async with job.running():
        yield job
