"""Wires the client service: the one file that knows every concrete class."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vestibule.alerts import AlertArchive, AlertEngine, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.alerts.store.triage import AlertTriage
from vestibule.client_service.api import (
    alerts,
    detokenization,
    entries,
    messages,
    processors,
    receipts,
    scan,
    schedules,
    subjects,
    tasks,
)
from vestibule.client_service.api.idempotency import Idempotency
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.celery_app import create_producer, held_for_s
from vestibule.client_service.intake.business_logic_client import BusinessLogicClient
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.keyed_names import KeyedNames
from vestibule.client_service.intake.message_routing import MessageRoutes
from vestibule.client_service.log_alerts import log_alerts
from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.dispatcher import TaskDispatcher
from vestibule.client_service.queue.encrypted_content import REALM
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.publishers import CeleryPublisher, RedisPublisher, TaskPublisher
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.rabbitmq_depth import RabbitMqDepth
from vestibule.client_service.queue.task_message import TaskMessageTemplate
from vestibule.client_service.screening.builder import Screening, build_screening
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.subjects.erasure import Erasure
from vestibule.client_service.subjects.stored_results import StoredResults
from vestibule.client_service.subjects.value_forms import ValueForms
from vestibule.client_service.task_service.metered_tasks import MeteredTasks
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.client_service.task_service.relay import TaskRelay
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.client_service.webhooks.dispatcher import WebhookDispatcher
from vestibule.client_service.webhooks.repository import OWNER as WEBHOOK_OWNER
from vestibule.client_service.webhooks.repository import WebhookRepository
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.entry_writes import EntryWriter
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.detection import Scanner
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile
from vestibule.processing import ProcessorRegistry
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.processor_adapters.detector_vocabulary import read_vocabulary
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.logging.logging_config import reporting_log_failures
from vestibule.service_kit.metrics.catalogue import CALLBACKS
from vestibule.service_kit.metrics.metrics import OUTCOMES, AlertMetrics, Metrics
from vestibule.service_kit.redis_settings import open_redis
from vestibule.service_kit.service_client import CircuitBreaker, ServiceClient

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
    processors.router,
    schedules.router,
    scan.router,
    detokenization.router,
    receipts.router,
    alerts.router,
    subjects.router,
)
RELAY_TIMEOUT_S = 5.0


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
    parts = _build_parts(settings)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[ClientWiring]:
        async with AsyncExitStack() as stack:
            stack.enter_context(alert_delivery(settings, parts.alert_metrics.count_attempt))
            await stack.enter_async_context(reporting_log_failures(log_alerts(parts.alerts)))
            await stack.enter_async_context(parts.screening.running())
            connections = await _connect(settings, parts.secret, stack)
            yield await _wire(settings, parts, connections, stack)

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


@dataclass(frozen=True, slots=True)
class _Parts:
    """What needs no connection: built before the service starts, so that a wrong setting fails the start."""

    secret: ServiceSecret
    metrics: Metrics
    alert_metrics: AlertMetrics
    alerts: AlertEngine
    request_alerts: RequestAlerts
    authenticator: Authenticator
    screening: Screening
    detokenizer: Detokenizer
    processors: ProcessorRegistry
    message_routes: MessageRoutes
    names: KeyedNames
    value_forms: ValueForms
    producer: VestibuleCelery


@dataclass(frozen=True, slots=True)
class _Connections:
    """Clients of the other services and of Redis."""

    database: ServiceClient
    entries_for: Callable[[Principal], EntryClient]
    ledger: TaskLedgerClient
    business_logic: BusinessLogicClient
    redis: Redis

    async def redis_answers(self) -> bool:
        """Say whether Redis answers; an error says no as well."""
        return bool(await self.redis.ping())


def _build_parts(settings: ClientSettings) -> _Parts:
    secret = ServiceSecret.read(settings.secret_file)
    ring = KeyRingFile(settings.key_ring_path)
    pseudonymizer = build_pseudonymizer(ring)
    metrics = Metrics("client")
    alert_metrics = AlertMetrics(metrics, settings.alert_channels)
    alerts = build_alert_engine("client", settings, alert_metrics.count_alert)
    request_alerts = RequestAlerts(alerts, pseudonymizer.fingerprint)
    scanner = Scanner.from_settings(settings.detection)
    scanner.warm_up()
    screening = build_screening(settings, scanner, alerts, pseudonymizer, metrics)
    processors = build_registry(settings, lambda: scanner, lambda: screening.policies.current, pseudonymizer)
    return _Parts(
        secret=secret,
        metrics=metrics,
        alert_metrics=alert_metrics,
        alerts=alerts,
        request_alerts=request_alerts,
        authenticator=_build_authenticator(settings, request_alerts),
        screening=screening,
        detokenizer=Detokenizer(screening.screener, pseudonymizer.tokenizer, screening.policies, alerts),
        processors=processors,
        message_routes=MessageRoutes(settings.message_routes, processors.names),
        names=KeyedNames(Fingerprinter(ring)),
        value_forms=ValueForms(ring, read_vocabulary(settings.detection), screening.policies),
        producer=create_producer(settings, Cipher(ring, REALM), processors),
    )


def _build_authenticator(settings: ClientSettings, alerts: RequestAlerts) -> Authenticator:
    limit = AuthRateLimit(settings.auth_failures_per_minute, settings.trusted_proxies, alerts.report_guessed_tokens)
    return Authenticator(caller_token_lookups(settings), alerts.report_auth_failure, limit)


async def _connect(settings: ClientSettings, secret: ServiceSecret, stack: AsyncExitStack) -> _Connections:
    """Open the connections until `stack` ends."""
    timeout_s = settings.service_timeout_s
    database = ServiceClient("database", settings.database_service_url, secret, timeout_s, CircuitBreaker())
    await stack.enter_async_context(database)
    logic: ServiceClient | None = None
    if settings.business_logic_url:
        logic = ServiceClient("business_logic", settings.business_logic_url, secret, timeout_s, CircuitBreaker())
        await stack.enter_async_context(logic)
    return _Connections(
        database=database,
        entries_for=partial(EntryClient, database, writes=EntryWriter(database)),
        ledger=TaskLedgerClient(database),
        business_logic=BusinessLogicClient(logic),
        redis=await _open_redis(settings, timeout_s, stack),
    )


async def _wire(
    settings: ClientSettings, parts: _Parts, connections: _Connections, stack: AsyncExitStack
) -> ClientWiring:
    """Start the background work until `stack` ends, and return what the routes call."""
    webhooks = await _start_webhooks(settings, parts, connections, stack)
    task_service = await _start_tasks(settings, parts, connections, webhooks, stack)
    schedule_service = ScheduleService(connections.entries_for, parts.screening.screener, parts.processors)
    return ClientWiring(
        authenticator=parts.authenticator,
        readiness=Readiness({"database": connections.database.is_ready, "queue": connections.redis_answers}),
        idempotency=Idempotency(connections.entries_for, parts.names),
        intake_for=_intake_factory(settings, parts, connections, task_service),
        task_service=task_service,
        schedule_service=schedule_service,
        processors=parts.processors,
        webhook_rules=settings.callback_rules,
        screener=parts.screening.screener,
        detokenizer=parts.detokenizer,
        receipt_keys=parts.screening.audit.signer.public_keys,
        alert_archive=AlertArchive(settings.alert_record_path),
        alert_triage=AlertTriage(settings.alert_record_path),
        erasure_for=_erasure_factory(parts, connections, schedule_service),
    )


def _intake_factory(
    settings: ClientSettings, parts: _Parts, connections: _Connections, task_service: TaskService
) -> Callable[[Principal], Intake]:
    entries_for = connections.entries_for
    build = partial(
        Intake,
        parts.screening.screener,
        tasks=MeteredTasks(task_service, parts.metrics),
        logic=connections.business_logic,
        processors=parts.processors,
        names=parts.names,
        routes=parts.message_routes,
        webhooks=settings.callback_rules,
    )
    return lambda caller: build(entries_for(caller))


def _erasure_factory(
    parts: _Parts, connections: _Connections, schedule_service: ScheduleService
) -> Callable[[Principal], Erasure]:
    results = StoredResults(connections.redis, parts.producer.cipher)

    def build(caller: Principal) -> Erasure:
        return Erasure(
            connections.entries_for(caller),
            partial(connections.ledger.erase, caller.tenant),
            partial(schedule_service.erase, caller.tenant),
            results,
            alerts=parts.alerts,
            forms_of=partial(parts.value_forms.of, tenant=caller.tenant),
        )

    return build


async def _start_webhooks(
    settings: ClientSettings, parts: _Parts, connections: _Connections, stack: AsyncExitStack
) -> WebhookRepository:
    repository = WebhookRepository(connections.entries_for(WEBHOOK_OWNER))
    for outcome in OUTCOMES:
        parts.metrics.expect(CALLBACKS, outcome)
    count_attempt = partial(parts.metrics.count, CALLBACKS)
    dispatcher = WebhookDispatcher(repository, connections.ledger, settings.callback_rules, parts.alerts, count_attempt)
    if settings.callback_secret.get_secret_value():
        await stack.enter_async_context(dispatcher.running())
    return repository


async def _start_tasks(
    settings: ClientSettings,
    parts: _Parts,
    connections: _Connections,
    webhooks: WebhookRepository,
    stack: AsyncExitStack,
) -> TaskService:
    producer, ledger, redis = parts.producer, connections.ledger, connections.redis
    # The relay blocks for reports of workers, for longer than a request may wait.
    relay_redis = await _open_redis(settings, RELAY_TIMEOUT_S, stack)
    rabbit = RabbitMqDepth(producer) if settings.broker_url else None
    if rabbit:
        stack.callback(rabbit.close)
    queue, relay_queue = (QueueView(one, rabbit, held_for_s(settings)) for one in (redis, relay_redis))
    dispatcher = TaskDispatcher(await _open_publisher(settings, producer, stack))
    end_listener = TaskEndListener(redis)
    relay = TaskRelay(ledger, relay_queue, dispatcher, LedgerSteps(settings, producer.cipher), parts.alerts)
    for part in (dispatcher, end_listener, relay):
        await stack.enter_async_context(part.running())
    return TaskService(
        ledger, queue, end_listener, dispatcher, settings=settings, cipher=producer.cipher, webhooks=webhooks
    )


async def _open_publisher(settings: ClientSettings, producer: VestibuleCelery, stack: AsyncExitStack) -> TaskPublisher:
    if settings.broker_url:
        return stack.enter_context(CeleryPublisher(producer))
    # Without retries: a message may have arrived although the reply was lost. The relay resends what did not.
    redis = await _open_redis(settings, settings.service_timeout_s, stack, retry=Retry(NoBackoff(), 0))
    return RedisPublisher(TaskMessageTemplate.learn(producer), redis)


async def _open_redis(
    settings: ClientSettings, timeout_s: float, stack: AsyncExitStack, retry: Retry | None = None
) -> Redis:
    options: dict[str, Any] = {"retry": retry} if retry else {}
    redis = open_redis(settings.redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **options)
    return await stack.enter_async_context(redis)
