"""Wires the front door: the one file that knows every concrete part of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vestibule.alerts import AlertArchive, AlertEngine, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.alerts.store.triage import AlertTriage
from vestibule.client_service.api import alerts, entries, messages, processors, scan, schedules, subjects, tasks
from vestibule.client_service.api.idempotency import Idempotency
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
from vestibule.client_service.screening.decision_audit import DecisionAudit
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.policy_alerts import PolicyAlerts
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.screening.screening_metrics import ScreeningMetrics
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
from vestibule.client_service.webhooks.repository import OWNER as CALLBACKS_OWNER
from vestibule.client_service.webhooks.repository import WebhookRepository
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.identity import Principal
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.entry_writes import EntryWriter
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.detection import DetectionError, Scanner
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile
from vestibule.policy.audit.decision_log import DecisionLog
from vestibule.policy.audit.receipt_key import ensure_receipt_key, read_receipt_keys
from vestibule.policy.audit.receipts import ReceiptSigner
from vestibule.policy.policy_file import PolicyFile
from vestibule.processing import ProcessorRegistry
from vestibule.processor_adapters import Pseudonymizer, build_pseudonymizer, build_registry
from vestibule.processor_adapters.detector_vocabulary import SECRETS, read_vocabulary, version_of_detectors
from vestibule.processor_adapters.policy_loader import open_policy
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_registers import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.http_client.circuit_breaker import CircuitBreaker
from vestibule.service_kit.http_client.service_client import ServiceClient
from vestibule.service_kit.logging.log_health import reporting_log_failures
from vestibule.service_kit.metrics.alert_metrics import AlertMetrics
from vestibule.service_kit.metrics.catalogue import CALLBACKS
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.redis.redis_url import open_redis

DESCRIPTION = """
The entrance hall for data. Everything that comes in is checked for personal data and secrets before it is stored or
processed. Every route but health and metrics needs `Authorization: Bearer TOKEN`; every error is a problem document
(RFC 9457, `application/problem+json`) that repeats nothing of what was sent.
"""
ROUTERS = (
    messages.router,
    processors.router,
    tasks.router,
    schedules.router,
    entries.router,
    scan.router,
    alerts.router,
    subjects.router,
)

RELAY_TIMEOUT_S = 5.0


def create_app(settings: ClientSettings) -> FastAPI:
    """Return the client service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        InvalidPolicy: the policy file is none.
        ReceiptKeyUnreadable: the key of receipts cannot be read.
        ValueError: the settings name an alert channel, an entity or a processor that does not exist, or a processor
            of one's own cannot be used.
    """
    secret = ServiceSecret.read(settings.secret_file)
    ring = KeyRingFile(settings.key_ring_path)
    pseudonymizer = build_pseudonymizer(ring)
    counted = AlertMetrics(metrics := Metrics("client"), settings.alert_channels)
    alerts = build_alert_engine("client", settings, counted.count_alert)
    request_alerts = RequestAlerts(alerts, pseudonymizer.fingerprint)
    scanner = _warm_scanner(settings)
    checkpoint = _checkpoint(settings, scanner, alerts, pseudonymizer, metrics)
    forms = ValueForms(ring, read_vocabulary(settings.detection), checkpoint.policies)
    works = _works(settings, scanner, checkpoint.policies, pseudonymizer, KeyedNames(Fingerprinter(ring)))
    producer = create_producer(settings, Cipher(ring, REALM), works.processors)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(alert_delivery(settings, counted.count_attempt))
            await stack.enter_async_context(reporting_log_failures(log_alerts(alerts)))
            await stack.enter_async_context(checkpoint.at_work())
            peer = await stack.enter_async_context(_peer("database", settings, secret))
            database = partial(EntryClient, peer, writes=EntryWriter(peer))
            logic = await _logic(settings, secret, stack)
            redis = await _redis(settings, settings.peer_timeout_s, stack)
            ledger = TaskLedgerClient(peer)
            repository = await _callbacks_at_work(settings, database, ledger, alerts, metrics=metrics, stack=stack)
            task_service = await _tasks_at_work(
                settings, redis, ledger, producer, repository, alerts=alerts, stack=stack
            )
            tasks = MeteredTasks(task_service, metrics)
            app.state.intake_of = works.intakes(checkpoint.screener, database, tasks, logic)
            app.state.idempotency, app.state.task_service = Idempotency(database, works.names), task_service
            app.state.schedules = ScheduleService(database, checkpoint.screener, works.processors)
            app.state.erasure_of = _erasures(
                app, database, ledger, StoredResults(redis, producer.cipher), alerts=alerts, forms=forms
            )
            app.state.readiness = Readiness({"database": peer.is_ready, "queue": lambda: _answers(redis)})
            yield

    app = create_service_app(
        "client",
        DESCRIPTION,
        settings,
        ROUTERS,
        lifespan,
        on_invalid_input=request_alerts.report_invalid_input,
        is_loggable=lambda request_id: _is_clean(scanner, request_id),
        metrics=metrics,
    )
    _equip(app, settings, checkpoint, pseudonymizer, alerts)
    app.state.processors = works.processors
    app.state.authenticator = _authenticator(settings, request_alerts)
    return app


def _equip(
    app: FastAPI, settings: ClientSettings, checkpoint: "_Checkpoint", pseudonymizer: Pseudonymizer, alerts: AlertEngine
) -> None:
    """Give the routes what needs no other part to answer."""
    app.state.screener = checkpoint.screener
    app.state.revealing = Detokenizer(checkpoint.screener, pseudonymizer.tokenizer, checkpoint.policies, alerts)
    app.state.receipt_keys = checkpoint.ledger.signer.public_keys
    app.state.alert_archive = AlertArchive(settings.alert_record_path)
    app.state.triage = AlertTriage(settings.alert_record_path)
    app.state.callback_rules = settings.callback_rules


def _authenticator(settings: ClientSettings, alerts: RequestAlerts) -> Authenticator:
    limit = AuthRateLimit(settings.auth_failures_per_minute, settings.trusted_proxies, alerts.report_guessed_tokens)
    return Authenticator(caller_token_lookups(settings), alerts.report_auth_failure, limit)


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """The door with what it decides by and writes into."""

    screener: Screener
    policies: PolicyFile
    ledger: DecisionAudit
    news: PolicyAlerts

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Follow the policy file and write the decision log meanwhile."""
        self.ledger.log.start()
        await self.news.alert_change(self.policies.current)
        following = asyncio.create_task(self.policies.follow(self.news.alert_change, self.news.alert_invalid))
        try:
            yield
        finally:
            following.cancel()
            await asyncio.to_thread(self.ledger.log.close)


@dataclass(frozen=True, slots=True)
class _Works:
    """What can be done with what comes in, and where."""

    processors: ProcessorRegistry
    routes: MessageRoutes
    names: KeyedNames
    callbacks: WebhookRules

    def intakes(
        self,
        screener: Screener,
        database: Callable[[Principal], EntryClient],
        tasks: MeteredTasks,
        logic: BusinessLogicClient,
    ) -> Callable[[Principal], Intake]:
        """Return what gives each caller an intake."""
        make = partial(Intake, screener, names=self.names, routes=self.routes, callbacks=self.callbacks)
        return lambda who: make(database(who), tasks, logic, self.processors)


def _works(
    settings: ClientSettings, scanner: Scanner, policies: PolicyFile, pseudonymizer: Pseudonymizer, names: KeyedNames
) -> _Works:
    processors = build_registry(settings, lambda: scanner, lambda: policies.current, pseudonymizer)
    routes = MessageRoutes(settings.message_routes, processors.names)
    return _Works(processors, routes, names, settings.callback_rules)


def _checkpoint(
    settings: ClientSettings, scanner: Scanner, alerts: AlertEngine, pseudonymizer: Pseudonymizer, metrics: Metrics
) -> _Checkpoint:
    vocabulary = read_vocabulary(settings.detection)
    policies = open_policy(settings, vocabulary)
    ledger = _ledger(settings, pseudonymizer.fingerprint)
    secrets = vocabulary.groups[SECRETS]
    count = ScreeningMetrics(metrics).count_decision
    screener = Screener(
        scanner, lambda: policies.current, alerts, ledger, pseudonymizer, secrets=secrets, on_decision=count
    )
    return _Checkpoint(screener, policies, ledger, PolicyAlerts(alerts))


def _ledger(settings: ClientSettings, fingerprint: Callable[[str], str]) -> DecisionAudit:
    # A key that was named is somebody's care; where none was named, receipts shall need no preparation.
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


def _is_clean(scanner: Scanner, text: str) -> bool:
    try:
        return not scanner.scan(text)
    except DetectionError:
        return False


def _peer(part: str, settings: ClientSettings, secret: ServiceSecret) -> ServiceClient:
    urls = {"database": settings.database_service_url, "business_logic": settings.business_logic_url}
    return ServiceClient(part, urls[part], secret, settings.peer_timeout_s, CircuitBreaker())


async def _logic(settings: ClientSettings, secret: ServiceSecret, stack: AsyncExitStack) -> BusinessLogicClient:
    is_on = bool(settings.business_logic_url)
    return BusinessLogicClient(
        await stack.enter_async_context(_peer("business_logic", settings, secret)) if is_on else None
    )


def _warm_scanner(settings: ClientSettings) -> Scanner:
    scanner = Scanner.from_settings(settings.detection)
    scanner.warm_up()
    return scanner


async def _tasks_at_work(
    settings: ClientSettings,
    redis: Redis,
    ledger: TaskLedgerClient,
    producer: VestibuleCelery,
    callbacks: WebhookRepository,
    *,
    alerts: AlertEngine,
    stack: AsyncExitStack,
) -> TaskService:
    """Start what sends tasks and looks after them, until `stack` ends, and return the desk for callers."""
    # The relay waits for what workers report, which takes longer than a caller could wait for anything.
    relay_redis = await _redis(settings, RELAY_TIMEOUT_S, stack)
    rabbit = RabbitMqDepth(producer) if settings.broker_url else None
    queue, relay_queue = (QueueView(one, rabbit, held_for_s(settings)) for one in (redis, relay_redis))
    sender = TaskDispatcher(await _publisher(settings, producer, stack))
    end_listener = TaskEndListener(redis)
    relay = TaskRelay(ledger, relay_queue, sender, LedgerSteps(settings, producer.cipher), alerts)
    if rabbit is not None:
        stack.callback(rabbit.close)
    for part in (sender, end_listener, relay):
        await stack.enter_async_context(part.at_work())
    return TaskService(
        ledger, queue, end_listener, sender, settings=settings, cipher=producer.cipher, callbacks=callbacks
    )


async def _callbacks_at_work(
    settings: ClientSettings,
    database: Callable[[Principal], EntryClient],
    ledger: TaskLedgerClient,
    alerts: AlertEngine,
    *,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> WebhookRepository:
    """Start what tells callers of the ends of their tasks, until `stack` ends."""
    repository = WebhookRepository(database(CALLBACKS_OWNER))
    count = partial(metrics.count, CALLBACKS)
    dispatcher = WebhookDispatcher(repository, ledger, settings.callback_rules, alerts, count)
    if settings.callback_secret.get_secret_value():
        await stack.enter_async_context(dispatcher.at_work())
    return repository


def _erasures(
    app: FastAPI,
    database: Callable[[Principal], EntryClient],
    ledger: TaskLedgerClient,
    results: StoredResults,
    *,
    alerts: AlertEngine,
    forms: ValueForms,
) -> Callable[[Principal], Erasure]:
    schedules: ScheduleService = app.state.schedules

    def erasure_of(caller: Principal) -> Erasure:
        erase_tasks = partial(ledger.erase, caller.tenant)
        erase_schedules = partial(schedules.erase, caller.tenant)
        forms_of = partial(forms.of, tenant=caller.tenant)
        return Erasure(database(caller), erase_tasks, erase_schedules, results, alerts=alerts, forms_of=forms_of)

    return erasure_of


async def _answers(redis: Redis) -> bool:
    return bool(await redis.ping())


async def _publisher(settings: ClientSettings, producer: VestibuleCelery, stack: AsyncExitStack) -> TaskPublisher:
    if settings.broker_url:
        return stack.enter_context(CeleryPublisher(producer))
    # What may have arrived is not sent a second time: the relay looks whether it has.
    once = await _redis(settings, settings.peer_timeout_s, stack, retry=Retry(NoBackoff(), 0))
    return RedisPublisher(TaskMessageTemplate.learn(producer), once)


async def _redis(
    settings: ClientSettings, timeout_s: float, stack: AsyncExitStack, retry: Retry | None = None
) -> Redis:
    options: dict[str, Any] = {} if retry is None else {"retry": retry}
    redis = open_redis(settings.redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **options)
    return await stack.enter_async_context(redis)
