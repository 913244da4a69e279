"""Builds the scheduler service."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from redis.asyncio import Redis

from vestibule.alerts import AlertEngine, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.contracts.identity import SCHEDULER_OWNER
from vestibule.contracts.schedules import OWNER as SCHEDULES_OWNER
from vestibule.database_client.audit import AuditClient
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.tokens import CallerTokens
from vestibule.database_client.transport import DatabaseTransport
from vestibule.encryption import Fingerprinter, KeyRingFile
from vestibule.runtime.background import in_background
from vestibule.scheduler_service.api import heartbeats, maintenance, status
from vestibule.scheduler_service.api.wiring import SchedulerWiring
from vestibule.scheduler_service.availability.monitor import AvailabilityMonitor, MonitorRules, ProbeMetrics
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.parts import PARTS
from vestibule.scheduler_service.availability.probes import (
    BacklogLimits,
    BacklogProbe,
    Probe,
    measure_queue,
    probe_redis,
    probe_service,
    probe_store,
    probe_workers,
)
from vestibule.scheduler_service.heartbeats import HeartbeatMonitor, HeartbeatRepository, check_heartbeats
from vestibule.scheduler_service.jobs import JobRunner
from vestibule.scheduler_service.lease import Lease, RedisFallbackLock
from vestibule.scheduler_service.maintenance import MaintenanceRepository, TextCheck
from vestibule.scheduler_service.schedule_runner import ScheduleRunner
from vestibule.scheduler_service.settings import SchedulerSettings
from vestibule.scheduler_service.status_page.page import StatusPage
from vestibule.scheduler_service.status_page.status import StatusService
from vestibule.service_kit.audit.trail import AuditTrail
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator, TokenLookup
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.metrics import AlertMetrics, Metrics, measure_logs
from vestibule.service_kit.metrics.sharing import read_neighbours
from vestibule.service_kit.redis_settings import open_redis
from vestibule.service_kit.service_client import ServiceClient

DESCRIPTION = "Probes every part regularly, and alerts when one goes down and when it recovers."
# The interval between saves of the availability history, at most a few probes.
SAVE_INTERVAL_S, PROBES_UNTIL_SAVE = 60.0, 6
# Heartbeats, maintenance windows and schedules are read this often; heartbeats are checked then.
REFRESH_INTERVAL_S = 5.0
SCHEDULE_POLL_INTERVAL_S = 1.0
ROUTERS = [status.router, status.view_router, heartbeats.router, maintenance.router]
# The tenant of the scheduler's own entries; no token can have it.


def create_app(settings: SchedulerSettings) -> FastAPI:
    """Return the scheduler service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        ValueError: the settings name an alert channel or a part that does not exist.
    """
    unknown = sorted(settings.part_thresholds.keys() - PARTS.keys())
    if unknown:
        raise ValueError(f"VESTIBULE_PART_THRESHOLDS names no part: {', '.join(unknown)}")
    metrics = Metrics("scheduler")
    alert_metrics = AlertMetrics(metrics, settings.alert_channels)
    secret = ServiceSecret.read(settings.secret_file)
    ring = KeyRingFile(settings.key_ring_path)
    alerts = build_alert_engine("scheduler", settings, alert_metrics.count_alert)
    request_alerts = RequestAlerts(alerts, Fingerprinter(ring).fingerprint)
    if settings.embedded:
        # On a single machine the workers have no port of their own.
        metrics.join(lambda: read_neighbours(settings.metrics_dir))
    tokens = CallerTokens(settings, "scheduler", ring)
    lookups = [secret, *caller_token_lookups(settings, tokens.directory)]
    secret_files = SecretFiles(ring, lookups)
    authenticator = _build_authenticator(settings, tokens, lookups, request_alerts)
    text_check = TextCheck(settings.detection, alerts)
    status_page = StatusPage.read(settings.probe_interval_s)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[SchedulerWiring]:
        async with AsyncExitStack() as stack:
            notifications = stack.enter_context(alert_delivery(settings, alert_metrics.count_attempt))
            await stack.enter_async_context(in_background(secret_files.follow(alerts.report_broken_file)))
            measure_logs(metrics, notifications.log)
            parts = await _start_monitoring(settings, secret, alerts, metrics=metrics, tokens=tokens, stack=stack)
            jobs, windows, heartbeat_repository, status_service, trail = parts
            yield SchedulerWiring(
                authenticator=authenticator,
                readiness=Readiness(
                    {"jobs": jobs.are_working, "notifications": notifications.is_working},
                    [secret_files.note, notifications.log.note],
                ),
                heartbeats=heartbeat_repository,
                windows=windows,
                text_check=text_check,
                status_service=status_service,
                status_page=status_page,
                is_status_public=settings.status_public,
                audit=trail,
            )

    return create_service_app(
        "scheduler",
        DESCRIPTION,
        settings,
        ROUTERS,
        lifespan,
        on_invalid_input=request_alerts.report_invalid_input,
        is_loggable=text_check.is_clean,
        metrics=metrics,
    )


def _build_authenticator(
    settings: SchedulerSettings, tokens: CallerTokens, lookups: list[TokenLookup], request_alerts: RequestAlerts
) -> Authenticator:
    limit = AuthRateLimit(
        settings.auth_failures_per_minute,
        settings.trusted_proxies,
        request_alerts.report_guessed_tokens,
        on_denied=request_alerts.report_denied,
    )
    return tokens.authenticator(lookups, request_alerts.report_auth_failure, limit)


async def _start_monitoring(
    settings: SchedulerSettings,
    secret: ServiceSecret,
    alerts: AlertEngine,
    *,
    metrics: Metrics,
    tokens: CallerTokens,
    stack: AsyncExitStack,
) -> tuple[JobRunner, MaintenanceRepository, HeartbeatRepository, StatusService, AuditTrail]:
    redis = open_redis(
        settings.redis_url, socket_timeout=settings.probe_timeout_s, socket_connect_timeout=settings.probe_timeout_s
    )
    stack.push_async_callback(redis.aclose)
    database = ServiceClient("database", settings.database_service_url, secret, settings.service_timeout_s)
    await stack.enter_async_context(database)
    transport = DatabaseTransport(database)
    store = EntryClient(transport, SCHEDULER_OWNER)
    # The name is the same after a restart, so a restarted scheduler acquires its own lease at once.
    lease = Lease(store, RedisFallbackLock(redis), f"{socket.gethostname()}:{settings.port}", settings.lease_s)
    probes = await _build_probes(settings, secret, redis, store, stack)
    monitor_state = MonitorState(store, lease, {part: part in probes for part in PARTS})
    windows, heartbeats = MaintenanceRepository(store), HeartbeatRepository(store)
    monitor = AvailabilityMonitor(
        probes,
        monitor_state,
        alerts,
        MonitorRules(
            settings.usual_thresholds, settings.part_thresholds, settings.probe_timeout_s, settings.probe_start_grace_s
        ),
        is_planned=windows.is_planned,
        on_probe=_measure_queue_and_probes(settings, metrics, redis).count_probe,
    )
    heartbeat_monitor = HeartbeatMonitor(
        heartbeats,
        lambda: monitor_state.incidents,
        alerts,
        windows.is_planned,
        start_grace_s=settings.probe_start_grace_s,
    )
    jobs = JobRunner(lease)
    for part in probes:
        jobs.add(f"probe-{part}", settings.probe_interval_s, partial(monitor.probe, part))
    jobs.add("save", min(SAVE_INTERVAL_S, PROBES_UNTIL_SAVE * settings.probe_interval_s), monitor_state.save)
    check = partial(check_heartbeats, lease, monitor_state, heartbeats, windows, heartbeat_monitor)
    jobs.add_everywhere("heartbeats", min(REFRESH_INTERVAL_S, settings.probe_interval_s), check)
    if settings.database_service_url:
        await stack.enter_async_context(tokens.follower(transport).running())
        schedules = ScheduleRunner(
            EntryClient(transport, SCHEDULES_OWNER), TaskLedgerClient(transport), REFRESH_INTERVAL_S
        )
        jobs.add("schedules", SCHEDULE_POLL_INTERVAL_S, schedules.follow)
    stack.push_async_callback(jobs.close)
    stack.push_async_callback(monitor_state.save)
    trail = AuditTrail("scheduler", settings.data_dir, AuditClient(transport))
    await stack.enter_async_context(trail.running())
    await jobs.start()
    return jobs, windows, heartbeats, StatusService(monitor_state, lease, heartbeats, windows), trail


def _measure_queue_and_probes(settings: SchedulerSettings, metrics: Metrics, redis: Redis) -> ProbeMetrics:
    metrics.ask(partial(measure_queue, redis))
    probe_metrics = ProbeMetrics(metrics, shown_for_s=3 * settings.probe_interval_s + settings.probe_timeout_s)
    metrics.ask(probe_metrics.forget_old)
    return probe_metrics


async def _build_probes(
    settings: SchedulerSettings, secret: ServiceSecret, redis: Redis, store: EntryClient, stack: AsyncExitStack
) -> dict[str, Probe]:
    urls = {
        "client": settings.client_service_url,
        "database": settings.database_service_url,
        "business_logic": settings.business_logic_url,
    }
    limits = BacklogLimits(settings.queue_depth_limit, settings.queue_age_limit_s)
    probes: dict[str, Probe] = {
        "queue": partial(probe_redis, redis),
        "workers": partial(probe_workers, redis),
        "backlog": BacklogProbe(redis, limits).read,
    }
    # The console has no privilege, and so is not shown the services' secret.
    peers = {part: (url, secret) for part, url in urls.items()} | {"console": (settings.console_service_url, None)}
    for part, (url, sent) in peers.items():
        if url:
            peer = ServiceClient(part, url, sent, settings.probe_timeout_s)
            probes[part] = partial(probe_service, await stack.enter_async_context(peer))
    if settings.database_service_url:
        probes["store"] = partial(probe_store, store)
    return probes
