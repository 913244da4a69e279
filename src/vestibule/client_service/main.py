"""Wires the client service: the one file that knows every concrete class."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from vestibule.alerts import AlertType, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.alerts.alert import ALERT_TYPES
from vestibule.alerts.channel_tests import ChannelTester
from vestibule.alerts.store.channel_states import ChannelStates
from vestibule.alerts.store.silences import SilenceRepository
from vestibule.client_service import api
from vestibule.client_service.allowances.allowances import Allowances
from vestibule.client_service.api.compat.presidio import PREFIX as PRESIDIO_PREFIX
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.celery_app import create_producer, held_for_s
from vestibule.client_service.compat.litellm.guardrail import GuardrailService
from vestibule.client_service.compat.presidio.service import PresidioService
from vestibule.client_service.conversations.revealing import TextReveals
from vestibule.client_service.conversations.store import OWNER as CONVERSATION_OWNER
from vestibule.client_service.conversations.store import Conversations
from vestibule.client_service.decisions.rates import RateReader
from vestibule.client_service.forms.admission import AddressQuotas, FormAdmission
from vestibule.client_service.idempotency import OWNER as IDEMPOTENCY_OWNER
from vestibule.client_service.idempotency import Idempotency
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.intake.message_routing import MessageRoutes
from vestibule.client_service.processing_record import ProcessingRecords
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.queue.dispatcher import CeleryPublisher, RedisPublisher, TaskDispatcher, TaskPublisher
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.partitions import TenantPartitions
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueView, RabbitMqDepth
from vestibule.client_service.queue.task_message import TaskMessageTemplate
from vestibule.client_service.queue.workers import WorkerRegistry
from vestibule.client_service.quotas.quota_service import AcceptTask, QuotaService
from vestibule.client_service.quotas.task_count import count_tasks_under_way
from vestibule.client_service.screening.builder import build_screening
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.subject_parts import SubjectParts
from vestibule.client_service.task_service.bulk import OWNER as BULK_OWNER
from vestibule.client_service.task_service.bulk import BulkActions
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.client_service.task_service.relay import TaskRelay
from vestibule.client_service.task_service.schedule_control import ScheduleControl
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService, digests_of_key
from vestibule.client_service.task_service.waiting import WaitingService
from vestibule.client_service.token_service import OtherProcesses, TokenService
from vestibule.client_service.trace.alert_events import AlertEvents
from vestibule.client_service.trace.trace_service import TraceService
from vestibule.client_service.webhooks.dispatcher import OWNER as WEBHOOK_OWNER
from vestibule.client_service.webhooks.dispatcher import WebhookDispatcher, WebhookRepository
from vestibule.contracts.allowances import OWNER as ALLOWANCE_OWNER
from vestibule.contracts.identity import Principal
from vestibule.contracts.queue import OWNER as QUEUE_OWNER
from vestibule.contracts.schedules import OWNER as SCHEDULE_OWNER
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.decisions import DecisionClient
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.tokens import CallerTokens
from vestibule.database_client.transport import DatabaseTransport
from vestibule.detection import Scanner
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.runtime.background import in_background
from vestibule.service_kit.audit.trail import AuditTrail
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit, Counted
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import caller_token_lookups, measure_expiry
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.cross_origin import CrossOrigin
from vestibule.service_kit.http.health import Note, Readiness
from vestibule.service_kit.logging.logging_config import reporting_log_failures
from vestibule.service_kit.metrics.catalogue import ALERTS, CALLBACKS, TASKS_REFUSED
from vestibule.service_kit.metrics.metrics import OUTCOMES, AlertMetrics, Metrics, measure_logs
from vestibule.service_kit.metrics.process_metrics import sharing_metrics
from vestibule.service_kit.processes.siblings import Siblings, as_handler
from vestibule.service_kit.redis_settings import answers, open_redis
from vestibule.service_kit.service_client import CircuitBreaker, ServiceClient
from vestibule.subject_search import SubjectSearcher

DESCRIPTION = """
Screens everything that comes in for personal data and secrets before it is stored or processed. Every route but health,
metrics and the descriptions of problems needs `Authorization: Bearer TOKEN`; every error is a problem document
(RFC 9457, `application/problem+json`) that repeats nothing of what was sent.
"""
ROUTERS = api.ROUTERS
RELAY_TIMEOUT_S = 5.0
# What a process lets the others on this machine look at again.
TOKENS_CHANGED, TOKENS_LISTED, ALLOWANCES_CHANGED = "tokens", "token_uses", "allowances"
EntriesFor = Callable[[Principal], EntryClient]
# Tokens whose client of the database service is kept for their next request.
PRINCIPALS_KEPT = 1024


def create_app(settings: ClientSettings, siblings: Siblings | None = None) -> FastAPI:
    """Return the client service; `siblings` are the other processes of it on this machine.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        InvalidPolicy: the policy file is invalid.
        ReceiptKeyUnreadable: the key of receipts cannot be read.
        ValueError: the settings name an alert channel, an entity or a processor that does not exist, or an operator's
            own processor cannot be used.
    """
    parts = _Parts(settings, siblings or Siblings())

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[ClientWiring]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(parts.siblings.running())
            metrics_dir = settings.process_metrics_dir
            await stack.enter_async_context(sharing_metrics(parts.metrics, metrics_dir, parts.siblings))
            notifications = stack.enter_context(alert_delivery(settings, parts.alert_metrics.count_attempt))
            measure_logs(parts.metrics, notifications.log)
            await stack.enter_async_context(reporting_log_failures(parts.alerts.report_log_failure))
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
        cross_origin=CrossOrigin("/forms/", parts.forms.allows_origin),
        foreign_prefix=PRESIDIO_PREFIX,
    )


class _Parts:
    """What needs no connection: built before the service starts, so that a wrong setting fails the start."""

    def __init__(self, settings: ClientSettings, siblings: Siblings) -> None:
        self.settings, self.siblings = settings, siblings
        self.secret = ServiceSecret.read(settings.secret_file)
        ring = self.ring = KeyRingFile(settings.key_ring_path)
        scanner = Scanner.from_settings(settings.detection)
        pseudonymizer = self.pseudonymizer = build_pseudonymizer(ring, lambda: scanner)
        self.metrics = Metrics("client")
        self.alert_metrics = AlertMetrics(self.metrics, settings.alert_channels)
        self.alerts = build_alert_engine("client", settings, self.alert_metrics.count_alert)
        self.request_alerts = RequestAlerts(self.alerts, pseudonymizer.fingerprint)
        scanner.warm_up()
        self.screening = build_screening(
            settings, scanner, self.alerts, pseudonymizer, self.metrics, replica=settings.replica
        )
        policies = self.policies = self.screening.policies
        self.processors = build_registry(settings, lambda: scanner, lambda: policies.current, pseudonymizer)
        limit = AuthRateLimit(
            settings.auth_failures_per_minute,
            settings.trusted_proxies,
            self.request_alerts.report_guessed_tokens,
            on_denied=self.request_alerts.report_denied,
            on_counted=siblings.tell,
        )
        for counted in Counted:
            siblings.on(counted, as_handler(partial(limit.count_elsewhere, counted)))
        self.caller_tokens = CallerTokens(settings, "client", ring)
        lookups = caller_token_lookups(settings, self.caller_tokens.directory)
        measure_expiry(self.metrics, lookups)
        self.secret_files = SecretFiles(ring, [self.secret, *lookups])
        on_auth_failure = self.request_alerts.report_auth_failure
        tell = partial(siblings.tell, "quota")
        self.quotas = QuotaService(lambda: policies.current.quotas, self.caller_tokens.uses, tell=tell)
        siblings.on("quota", as_handler(self.quotas.count_nearby))
        self.authenticator = self.caller_tokens.authenticator(lookups, on_auth_failure, limit, self.quotas)
        addresses = AddressQuotas(tell=partial(siblings.tell, "form"))
        siblings.on("form", as_handler(addresses.count_nearby))
        forms = lambda: policies.current.document.forms  # noqa: E731 - read anew each time
        self.forms = FormAdmission(forms, self.quotas, settings.trusted_proxies, addresses)
        self.detokenizer = Detokenizer(self.screening.screener, pseudonymizer.tokenizer, policies, self.alerts)
        self.presidio = PresidioService(scanner, self.alerts, refuses_unserved=settings.presidio_refuse_unserved)
        self.message_routes = MessageRoutes(settings.message_routes, self.processors.names)
        self.fingerprinter = Fingerprinter(ring)
        self.alert_events = AlertEvents.read_from(settings.alert_record_path, settings.replica)
        self.producer = create_producer(settings, Cipher(ring, REALM), self.processors)
        self.steps = LedgerSteps(settings, self.producer.cipher)
        searcher = SubjectSearcher(ring, settings.detection)
        self.subject_parts = SubjectParts(
            settings, self.screening, self.processors, searcher, self.fingerprinter, self.steps
        )

    def reveals_with(self, store: EntryClient) -> TextReveals:
        """Return what gives values back in texts; `store` keeps conversations."""
        kept = Conversations(store, self.ring, self.fingerprinter)
        return TextReveals(self.detokenizer, kept, self.pseudonymizer.tokenizer)


async def _start(parts: _Parts, notes: list[Note], stack: AsyncExitStack) -> ClientWiring:
    """Open the connections and start the background work until `stack` ends; return what the routes call."""
    settings, screener = parts.settings, parts.screening.screener
    database, logic = await _open_database(parts, stack), await _open_logic(parts, stack)
    redis = await _open_redis(settings, settings.service_timeout_s, stack)
    transport = DatabaseTransport(database)
    entries_for = lru_cache(PRINCIPALS_KEPT)(partial(EntryClient, transport))
    ledger, decision_client = TaskLedgerClient(transport), DecisionClient(transport)
    webhooks = await _deliver_webhooks(parts, entries_for(WEBHOOK_OWNER), ledger, stack)
    pauses = await _start_pauses(parts, entries_for(QUEUE_OWNER), redis, stack)
    task_service = await _start_tasks(parts, ledger, redis, webhooks, stack, pauses=pauses)
    schedules = ScheduleService(entries_for(SCHEDULE_OWNER), screener, parts.processors)
    trail = await _start_audit(parts, AuditClient(transport), stack)
    reveals = parts.reveals_with(entries_for(CONVERSATION_OWNER))
    bulk = await _start_bulk(parts, entries_for(BULK_OWNER), ledger, redis, stack)
    accept_task = parts.quotas.guard(task_service.accept)
    subject_service = await parts.subject_parts.start(transport, redis, trail, stack)
    sources = (decision_client, ledger, task_service.queue, parts.alert_events, webhooks, subject_service.erasure, bulk)
    return ClientWiring(
        authenticator=parts.authenticator,
        readiness=Readiness({"database": database.is_ready, "queue": partial(answers, redis)}, notes),
        idempotency=Idempotency(entries_for(IDEMPOTENCY_OWNER), parts.fingerprinter),
        entries_for=entries_for,
        intake=_build_intake(parts, entries_for, accept_task, logic),
        forms=parts.forms,
        task_service=task_service,
        waiting=WaitingService(task_service.queue, pauses, task_service.partitions),
        pauses=pauses,
        queue=task_service.queue,
        workers=WorkerRegistry(redis),
        schedule_service=schedules,
        schedule_control=ScheduleControl(schedules, ledger, accept_task),
        processors=parts.processors,
        webhook_rules=settings.callback_rules,
        screener=screener,
        presidio=parts.presidio,
        reveals=reveals,
        guardrail=GuardrailService.build(screener, parts.alerts, reveals, trail),
        detokenizer=parts.detokenizer,
        policies=parts.policies,
        policy_since=parts.screening.since,
        drafts=parts.screening.drafts,
        allowances=await _follow_allowances(parts, entries_for(ALLOWANCE_OWNER), redis, stack),
        receipt_signer=parts.screening.signer,
        decisions=decision_client,
        decision_rates=RateReader(redis),
        decision_stream=await parts.screening.start_decisions(settings, decision_client, redis, stack),
        alert_archive=parts.alert_events.archive,
        alert_groups=parts.alert_events.groups,
        silences=SilenceRepository(settings.alert_record_path),
        channel_states=ChannelStates(settings.alert_record_path),
        channel_tester=ChannelTester(settings),
        replica=settings.replica,
        subject_service=subject_service,
        processing_records=ProcessingRecords(settings, parts.policies, parts.processors, entries_for),
        trace_service=TraceService(*sources),
        bulk_actions=bulk,
        token_service=await _start_tokens(parts, transport, stack),
        audit=trail,
        audit_lines=AuditClient(transport),
    )


async def _open_database(parts: _Parts, stack: AsyncExitStack) -> ServiceClient:
    url, timeout_s = parts.settings.database_service_url, parts.settings.service_timeout_s
    return await stack.enter_async_context(ServiceClient("database", url, parts.secret, timeout_s, CircuitBreaker()))


async def _start_audit(parts: _Parts, client: AuditClient, stack: AsyncExitStack) -> AuditTrail:
    trail = AuditTrail("client", parts.settings.data_dir, client)
    await stack.enter_async_context(trail.running())
    await parts.screening.audit_policy(trail.record_policy)
    return trail


def _build_intake(parts: _Parts, entries_for: EntriesFor, accept: AcceptTask, logic: ServiceClient | None) -> Intake:
    return Intake(
        parts.screening.screener,
        entries_for,
        accept,
        logic,
        parts.processors,
        fingerprinter=parts.fingerprinter,
        routes=parts.message_routes,
        webhooks=parts.settings.callback_rules,
        time_limit_s=parts.settings.task_time_limit_s,
    )


async def _open_logic(parts: _Parts, stack: AsyncExitStack) -> ServiceClient | None:
    url, timeout_s = parts.settings.business_logic_url, parts.settings.service_timeout_s
    if not url:
        return None
    logic = ServiceClient("business_logic", url, parts.secret, timeout_s, CircuitBreaker())
    return await stack.enter_async_context(logic)


async def _start_pauses(parts: _Parts, store: EntryClient, redis: Redis, stack: AsyncExitStack) -> QueuePauses:
    pauses = QueuePauses(store, redis, parts.processors.names)
    await stack.enter_async_context(pauses.running())
    return pauses


async def _start_bulk(
    parts: _Parts, store: EntryClient, ledger: TaskLedgerClient, redis: Redis, stack: AsyncExitStack
) -> BulkActions:
    bulk_actions = BulkActions(store, ledger, QueueView(redis), parts.steps, parts.fingerprinter)
    await stack.enter_async_context(bulk_actions.running())
    return bulk_actions


async def _start_tokens(parts: _Parts, transport: DatabaseTransport, stack: AsyncExitStack) -> TokenService:
    ask = parts.siblings.ask
    others = OtherProcesses(partial(ask, TOKENS_CHANGED), partial(ask, TOKENS_LISTED))
    service = TokenService.build(transport, parts.caller_tokens, parts.settings, others)
    parts.siblings.on(TOKENS_CHANGED, lambda _: service.follower.refresh())
    parts.siblings.on(TOKENS_LISTED, lambda _: service.follower.note_uses())
    await stack.enter_async_context(service.follower.running())
    return service


async def _follow_allowances(parts: _Parts, store: EntryClient, redis: Redis, stack: AsyncExitStack) -> Allowances:
    allowances = await parts.screening.follow_allowances(store, redis, parts.ring, stack)
    allowances.announce = partial(parts.siblings.ask, ALLOWANCES_CHANGED)
    parts.siblings.on(ALLOWANCES_CHANGED, lambda _: allowances.refresh())
    return allowances


async def _deliver_webhooks(
    parts: _Parts, store: EntryClient, ledger: TaskLedgerClient, stack: AsyncExitStack
) -> WebhookRepository:
    repository = WebhookRepository(store)
    for outcome in OUTCOMES:
        parts.metrics.expect(CALLBACKS, outcome)
    if parts.settings.callback_secret.get_secret_value():
        count, rules = partial(parts.metrics.count, CALLBACKS), parts.settings.callback_rules
        dispatcher = WebhookDispatcher(repository, ledger, rules, parts.alerts, count)
        await stack.enter_async_context(dispatcher.running())
    return repository


async def _start_tasks(
    parts: _Parts,
    ledger: TaskLedgerClient,
    redis: Redis,
    webhooks: WebhookRepository,
    stack: AsyncExitStack,
    *,
    pauses: QueuePauses,
) -> TaskService:
    settings, producer = parts.settings, parts.producer
    # The relay blocks for reports of workers, for longer than a request may wait.
    relay_redis = await _open_redis(settings, RELAY_TIMEOUT_S, stack)
    rabbit = RabbitMqDepth(producer) if settings.broker_url else None
    if rabbit:
        stack.callback(rabbit.close)
    queue, relay_queue = (QueueView(one, rabbit, held_for_s(settings)) for one in (redis, relay_redis))
    partitions = TenantPartitions(redis, queue)
    publisher: TaskPublisher
    if settings.broker_url:
        publisher = CeleryPublisher(producer, partitions)
        stack.callback(publisher.close)
    else:
        # Without retries: a message may have arrived although the reply was lost. The relay resends what did not.
        no_retry = Retry(NoBackoff(), 0)
        publisher_redis = await _open_redis(settings, settings.service_timeout_s, stack, retry=no_retry)
        publisher = RedisPublisher(TaskMessageTemplate.learn(producer), publisher_redis, partitions)
    await stack.enter_async_context(parts.quotas.running(redis, partial(count_tasks_under_way, ledger)))
    dispatcher, end_listener = TaskDispatcher(publisher), TaskEndListener(redis)
    relay = TaskRelay(ledger, relay_queue, publisher, parts.steps, parts.alerts, pauses=pauses)
    for part in (partitions, dispatcher, end_listener, relay):
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
        pauses=pauses,
        partitions=partitions,
        digests_of=partial(digests_of_key, parts.fingerprinter),
    )


async def _open_redis(
    settings: ClientSettings, timeout_s: float, stack: AsyncExitStack, retry: Retry | None = None
) -> Redis:
    options: dict[str, Any] = {"retry": retry} if retry else {}
    redis = open_redis(settings.redis_url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **options)
    return await stack.enter_async_context(redis)
