"""Wires the client service: the one file that knows every concrete class."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vestibule.alerts import AlertArchive, AlertEngine, AlertType, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.alerts.alert import ALERT_TYPES
from vestibule.alerts.store.archive import AlertTriage
from vestibule.alerts.store.reasons import AlertReasons
from vestibule.client_service.api import alerts, entries, messages, schedules, screening, subjects, tasks
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.celery_app import create_producer, held_for_s
from vestibule.client_service.erasure import OWNER as ERASURE_OWNER
from vestibule.client_service.erasure import Erasure, ErasureRecords, ErasureStages, ServiceRecords
from vestibule.client_service.idempotency import ERASED, Idempotency
from vestibule.client_service.idempotency import OWNER as IDEMPOTENCY_OWNER
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.message_routing import MessageRoutes
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.queue.dispatcher import CeleryPublisher, RedisPublisher, TaskDispatcher, TaskPublisher
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.queue_view import QueueView, RabbitMqDepth
from vestibule.client_service.queue.task_message import TaskMessageTemplate
from vestibule.client_service.screening.builder import build_screening
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.client_service.task_service.relay import TaskRelay
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.client_service.webhooks.dispatcher import OWNER as WEBHOOK_OWNER
from vestibule.client_service.webhooks.dispatcher import WebhookDispatcher, WebhookRepository
from vestibule.contracts.identity import SCHEDULER_OWNER
from vestibule.contracts.schedules import OWNER as SCHEDULE_OWNER
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.detection import Scanner
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.runtime.background import in_background
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import caller_token_lookups, measure_expiry
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Note, Readiness
from vestibule.service_kit.logging.logging_config import reporting_log_failures
from vestibule.service_kit.metrics.catalogue import ALERTS, CALLBACKS, TASKS_REFUSED
from vestibule.service_kit.metrics.metrics import OUTCOMES, AlertMetrics, Metrics, measure_logs
from vestibule.service_kit.redis_settings import open_redis
from vestibule.service_kit.service_client import CircuitBreaker, ServiceClient
from vestibule.subject_search import SubjectSearcher

DESCRIPTION = """
Screens everything that comes in for personal data and secrets before it is stored or processed. Every route but health,
metrics and the descriptions of problems needs `Authorization: Bearer TOKEN`; every error is a problem document
(RFC 9457, `application/problem+json`) that repeats nothing of what was sent.
"""
ROUTERS = (
    entries.repeatable_router,
    entries.router,
    messages.router,
    tasks.router,
    tasks.processor_router,
    schedules.router,
    screening.router,
    alerts.router,
    subjects.router,
)
RELAY_TIMEOUT_S = 5.0
# Tokens whose client of the database service is kept for their next request.
PRINCIPALS_KEPT = 1024


def create_app(settings: ClientSettings) -> FastAPI:
    """Return the client service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        InvalidPolicy: the policy file is invalid.
        ReceiptKeyUnreadable: the key of receipts cannot be read.
        ValueError: the settings name an alert channel, an entity or a processor that does not exist, or an operator's
            own processor cannot be used.
    """
    parts = _Parts(settings)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[ClientWiring]:
        async with AsyncExitStack() as stack:
            notifications = stack.enter_context(alert_delivery(settings, parts.alert_metrics.count_attempt))
            measure_logs(parts.metrics, notifications.log)
            await stack.enter_async_context(reporting_log_failures(partial(_alert_log_failure, parts.alerts)))
            await stack.enter_async_context(parts.screening.running())
            await stack.enter_async_context(in_background(parts.secret_files.follow(parts.alerts.report_broken_file)))
            yield await _start(parts, [parts.secret_files.note, notifications.log.note], stack)

    return create_service_app(
        "client",
        DESCRIPTION,
        settings,
        ROUTERS,
        lifespan,
        on_invalid_input=parts.request_alerts.report_invalid_input,
        is_loggable=parts.screening.screener.is_clean,
        metrics=parts.metrics,
    )


class _Parts:
    """What needs no connection: built before the service starts, so that a wrong setting fails the start."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self.secret = ServiceSecret.read(settings.secret_file)
        ring = KeyRingFile(settings.key_ring_path)
        pseudonymizer = build_pseudonymizer(ring)
        self.metrics = Metrics("client")
        self.alert_metrics = AlertMetrics(self.metrics, settings.alert_channels)
        self.alerts = build_alert_engine("client", settings, self.alert_metrics.count_alert)
        self.request_alerts = RequestAlerts(self.alerts, pseudonymizer.fingerprint)
        scanner = Scanner.from_settings(settings.detection)
        scanner.warm_up()
        self.screening = build_screening(settings, scanner, self.alerts, pseudonymizer, self.metrics)
        screener, policies = self.screening.screener, self.screening.policies
        self.processors = build_registry(settings, lambda: scanner, lambda: policies.current, pseudonymizer)
        limit = AuthRateLimit(
            settings.auth_failures_per_minute,
            settings.trusted_proxies,
            self.request_alerts.report_guessed_tokens,
            on_denied=self.request_alerts.report_denied,
        )
        lookups = caller_token_lookups(settings)
        measure_expiry(self.metrics, lookups)
        self.secret_files = SecretFiles(ring, [self.secret, *lookups])
        self.authenticator = Authenticator(lookups, self.request_alerts.report_auth_failure, limit)
        self.detokenizer = Detokenizer(screener, pseudonymizer.tokenizer, policies, self.alerts)
        self.message_routes = MessageRoutes(settings.message_routes, self.processors.names)
        self.fingerprinter = Fingerprinter(ring)
        self.policies = policies
        self.subject_searcher = SubjectSearcher(ring, settings.detection)
        self.producer = create_producer(settings, Cipher(ring, REALM), self.processors)


async def _start(parts: _Parts, notes: list[Note], stack: AsyncExitStack) -> ClientWiring:
    """Open the connections and start the background work until `stack` ends; return what the routes call."""
    settings, screener, timeout_s = parts.settings, parts.screening.screener, parts.settings.service_timeout_s
    database = ServiceClient("database", settings.database_service_url, parts.secret, timeout_s, CircuitBreaker())
    await stack.enter_async_context(database)
    logic: ServiceClient | None = None
    if settings.business_logic_url:
        logic = ServiceClient("business_logic", settings.business_logic_url, parts.secret, timeout_s, CircuitBreaker())
        await stack.enter_async_context(logic)
    redis = await _open_redis(settings, timeout_s, stack)
    transport = DatabaseTransport(database)
    entries_for = lru_cache(PRINCIPALS_KEPT)(partial(EntryClient, transport))
    ledger = TaskLedgerClient(transport)
    webhooks = WebhookRepository(entries_for(WEBHOOK_OWNER))
    await _deliver_webhooks(parts, webhooks, ledger, stack)
    task_service = await _start_tasks(parts, ledger, redis, webhooks, stack)
    schedule_service = ScheduleService(entries_for(SCHEDULE_OWNER), screener, parts.processors)

    erasure = await _start_erasure(parts, transport, redis, stack)

    async def redis_answers() -> bool:
        return bool(await redis.ping())

    return ClientWiring(
        authenticator=parts.authenticator,
        readiness=Readiness({"database": database.is_ready, "queue": redis_answers}, notes),
        idempotency=Idempotency(entries_for(IDEMPOTENCY_OWNER), parts.fingerprinter),
        entries_for=entries_for,
        intake=Intake(
            screener,
            entries_for,
            task_service.accept,
            logic,
            parts.processors,
            fingerprinter=parts.fingerprinter,
            routes=parts.message_routes,
            webhooks=settings.callback_rules,
            time_limit_s=settings.task_time_limit_s,
        ),
        task_service=task_service,
        schedule_service=schedule_service,
        processors=parts.processors,
        webhook_rules=settings.callback_rules,
        screener=screener,
        detokenizer=parts.detokenizer,
        receipt_keys=parts.screening.audit.signer.public_keys,
        alert_archive=AlertArchive(settings.alert_record_path),
        alert_triage=AlertTriage(settings.alert_record_path),
        erasure=erasure,
    )


async def _start_erasure(parts: _Parts, transport: DatabaseTransport, redis: Redis, stack: AsyncExitStack) -> Erasure:
    settings, entries_for = parts.settings, partial(EntryClient, transport)
    records = (
        ServiceRecords(IDEMPOTENCY_OWNER, instead=ERASED),
        ServiceRecords(WEBHOOK_OWNER),
        ServiceRecords(SCHEDULE_OWNER),
        ServiceRecords(SCHEDULER_OWNER, field="reason"),
    )
    stages = ErasureStages(
        entries_for,
        records,
        TaskLedgerClient(transport),
        ScheduleService(entries_for(SCHEDULE_OWNER), parts.screening.screener, parts.processors),
        redis,
        QueueView(redis),
        LedgerSteps(settings, parts.producer.cipher),
        parts.subject_searcher,
        AlertReasons(settings.alert_record_path, settings.report_dir),
    )
    kept = ErasureRecords(entries_for(ERASURE_OWNER))
    erasure = Erasure(kept, stages, parts.alerts, lambda: parts.policies.current.tenants)
    await stack.enter_async_context(erasure.running())
    return erasure


async def _deliver_webhooks(
    parts: _Parts, repository: WebhookRepository, ledger: TaskLedgerClient, stack: AsyncExitStack
) -> None:
    for outcome in OUTCOMES:
        parts.metrics.expect(CALLBACKS, outcome)
    if parts.settings.callback_secret.get_secret_value():
        count_attempt = partial(parts.metrics.count, CALLBACKS)
        rules = parts.settings.callback_rules
        dispatcher = WebhookDispatcher(repository, ledger, rules, parts.alerts, count_attempt)
        await stack.enter_async_context(dispatcher.running())


async def _start_tasks(
    parts: _Parts, ledger: TaskLedgerClient, redis: Redis, webhooks: WebhookRepository, stack: AsyncExitStack
) -> TaskService:
    settings, producer = parts.settings, parts.producer
    # The relay blocks for reports of workers, for longer than a request may wait.
    relay_redis = await _open_redis(settings, RELAY_TIMEOUT_S, stack)
    rabbit = RabbitMqDepth(producer) if settings.broker_url else None
    if rabbit:
        stack.callback(rabbit.close)
    queue, relay_queue = (QueueView(one, rabbit, held_for_s(settings)) for one in (redis, relay_redis))
    publisher: TaskPublisher
    if settings.broker_url:
        publisher = CeleryPublisher(producer)
        stack.callback(publisher.close)
    else:
        # Without retries: a message may have arrived although the reply was lost. The relay resends what did not.
        no_retry = Retry(NoBackoff(), 0)
        publisher_redis = await _open_redis(settings, settings.service_timeout_s, stack, retry=no_retry)
        publisher = RedisPublisher(TaskMessageTemplate.learn(producer), publisher_redis)
    dispatcher, end_listener = TaskDispatcher(publisher), TaskEndListener(redis)
    relay = TaskRelay(ledger, relay_queue, publisher, LedgerSteps(settings, producer.cipher), parts.alerts)
    for part in (dispatcher, end_listener, relay):
        await stack.enter_async_context(part.running())
    parts.metrics.expect(TASKS_REFUSED)
    parts.metrics.expect(ALERTS, AlertType.TASK_DEAD_LETTERED, ALERT_TYPES[AlertType.TASK_DEAD_LETTERED].severity)
    return TaskService(
        ledger,
        queue,
        end_listener,
        dispatcher,
        settings=settings,
        cipher=producer.cipher,
        webhooks=webhooks,
        metrics=parts.metrics,
    )


async def _open_redis(
    settings: ClientSettings, timeout_s: float, stack: AsyncExitStack, retry: Retry | None = None
) -> Redis:
    options: dict[str, Any] = {"retry": retry} if retry else {}
    redis = open_redis(settings.redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **options)
    return await stack.enter_async_context(redis)


async def _alert_log_failure(alerts: AlertEngine, failure: str | None) -> None:
    """Alert that the log file cannot be written, or that it can be written again."""
    if failure:
        text = f"Log lines cannot be written to the log file ({failure}): they are counted and dropped, requests go on."
        await alerts.raise_alert(AlertType.LOG_NOT_WRITTEN, text, subject="app.log")
    else:
        await alerts.raise_alert(AlertType.LOG_WRITTEN, "Log lines are written again.", subject="app.log")
