"""Wires the scheduler service."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from redis.asyncio import Redis

from vestibule.alerts import AlertEngine, RequestAlerts, alert_delivery, build_alert_engine
from vestibule.contracts.schedules import OWNER as SCHEDULES_OWNER
from vestibule.encryption import Fingerprinter, KeyRingFile
from vestibule.scheduler_service.api import heartbeats, maintenance, status
from vestibule.scheduler_service.availability.monitor import AvailabilityMonitor, MonitorRules
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.monitored_parts import PARTS
from vestibule.scheduler_service.availability.probe_metrics import ProbeMetrics
from vestibule.scheduler_service.availability.probes import (
    BacklogLimits,
    BacklogProbe,
    Probe,
    RedisProbe,
    ServiceProbe,
    StoreProbe,
    WorkersProbe,
)
from vestibule.scheduler_service.availability.queue_metrics import QueueMetrics
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatMonitor
from vestibule.scheduler_service.leadership.fallback_lock import RedisFallbackLock
from vestibule.scheduler_service.leadership.jobs import JobRunner
from vestibule.scheduler_service.leadership.lease import Lease
from vestibule.scheduler_service.maintenance.reason_check import ReasonCheck
from vestibule.scheduler_service.operator_input_job import OperatorInputJob
from vestibule.scheduler_service.operator_inputs import OperatorInputs
from vestibule.scheduler_service.schedules.schedule_runner import ScheduleRunner
from vestibule.scheduler_service.schedules.task_submission import TaskSubmitter
from vestibule.scheduler_service.settings import SchedulerSettings
from vestibule.scheduler_service.state_store import StateStore
from vestibule.scheduler_service.status_page.page import StatusPage
from vestibule.scheduler_service.status_page.status import StatusService
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_registers import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.http_client.service_client import ServiceClient
from vestibule.service_kit.metrics.alert_metrics import AlertMetrics
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.metrics.sharing import read_neighbours
from vestibule.service_kit.redis.redis_url import open_redis

DESCRIPTION = "Asks every part regularly whether it answers, and alerts when one stops and when it is back."
ROUTERS = [status.router, status.view_router, heartbeats.router, maintenance.router]


def create_app(settings: SchedulerSettings) -> FastAPI:
    """Return the scheduler service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        ValueError: the settings name an alert channel or a part that does not exist.
    """
    metrics = Metrics("scheduler")
    counted = AlertMetrics(metrics, settings.alert_channels)
    secret = ServiceSecret.read(settings.secret_file)
    fingerprint = Fingerprinter(KeyRingFile(settings.key_ring_path)).fingerprint
    alerts = build_alert_engine("scheduler", settings, counted.count_alert)
    door = RequestAlerts(alerts, fingerprint)
    _refuse_unknown_parts(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(alert_delivery(settings, counted.count_attempt))
            await _go_to_work(app, settings, secret, alerts, metrics=metrics, stack=stack)
            yield

    app = create_service_app(
        "scheduler",
        DESCRIPTION,
        settings,
        ROUTERS,
        lifespan,
        on_invalid_input=door.report_invalid_input,
        metrics=metrics,
    )
    limit = AuthRateLimit(settings.auth_failures_per_minute, settings.trusted_proxies, door.report_guessed_tokens)
    if settings.embedded:
        # Where all parts are on one machine, the workers have no port of their own.
        metrics.join(lambda: read_neighbours(settings.metrics_dir))
    app.state.authenticator = Authenticator(
        [secret.token_lookup(), *caller_token_lookups(settings)], door.report_auth_failure, limit
    )
    app.state.readiness = Readiness({})
    app.state.page = StatusPage.read()
    app.state.probe_interval_s = settings.probe_interval_s
    app.state.is_status_public = settings.status_public
    app.state.reason_check = ReasonCheck(settings.detection, alerts)
    return app


async def _go_to_work(
    app: FastAPI,
    settings: SchedulerSettings,
    secret: ServiceSecret,
    alerts: AlertEngine,
    *,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> None:
    redis = open_redis(
        settings.redis_url, socket_timeout=settings.probe_timeout_s, socket_connect_timeout=settings.probe_timeout_s
    )
    stack.push_async_callback(redis.aclose)
    metrics.ask(QueueMetrics(redis).measure)
    probed = ProbeMetrics(metrics, shown_for_s=3 * settings.probe_interval_s + settings.probe_timeout_s)
    metrics.ask(probed.forget_old)
    database = ServiceClient("database", settings.database_service_url, secret, settings.peer_timeout_s)
    store = StateStore(await stack.enter_async_context(database))
    probes = await _probes(settings, secret, redis, store, stack)
    # Who comes back under the same name takes its own lease at once.
    lease = Lease(store, RedisFallbackLock(redis), f"{socket.gethostname()}:{settings.port}", settings.lease_s)
    monitor_state = MonitorState(store, lease, {part: part in probes for part in PARTS})
    operator_inputs = OperatorInputs(store)
    monitor = AvailabilityMonitor(
        probes,
        monitor_state,
        alerts,
        _rules(settings),
        is_planned=operator_inputs.windows.is_planned,
        on_probe=probed.count_probe,
    )
    heartbeats = HeartbeatMonitor(
        operator_inputs.heartbeats,
        lambda: monitor_state.incidents,
        alerts,
        operator_inputs.windows.is_planned,
        start_grace_s=settings.probe_start_grace_s,
    )
    operator_input_job = OperatorInputJob(lease, monitor_state, operator_inputs, heartbeats)
    app.state.status_service = StatusService(monitor_state, lease, operator_inputs)
    app.state.operator_inputs, app.state.heartbeats, app.state.windows = (
        operator_inputs,
        operator_inputs.heartbeats,
        operator_inputs.windows,
    )
    jobs = JobRunner(lease)
    for part in probes:
        jobs.add(f"probe-{part}", settings.probe_interval_s, partial(monitor.probe, part))
    jobs.add("save", settings.monitor_save_interval_s, monitor_state.save)
    jobs.add_everywhere("books", settings.operator_input_interval_s, operator_input_job.read_and_alert)
    await _follow_schedules(settings, secret, jobs, stack)
    stack.push_async_callback(jobs.close)
    stack.push_async_callback(monitor_state.save)
    await jobs.start()


async def _follow_schedules(
    settings: SchedulerSettings, secret: ServiceSecret, jobs: JobRunner, stack: AsyncExitStack
) -> None:
    if not settings.database_service_url:
        return
    peer = ServiceClient("database", settings.database_service_url, secret, settings.peer_timeout_s)
    await stack.enter_async_context(peer)
    runner = ScheduleRunner(StateStore(peer, SCHEDULES_OWNER), TaskSubmitter(peer), settings.operator_input_interval_s)
    jobs.add("schedules", settings.schedule_look_s, runner.follow)


async def _probes(
    settings: SchedulerSettings, secret: ServiceSecret, redis: Redis, store: StateStore, stack: AsyncExitStack
) -> dict[str, Probe]:
    urls = {
        "client": settings.client_service_url,
        "database": settings.database_service_url,
        "business_logic": settings.business_logic_url,
    }
    limits = BacklogLimits(settings.queue_depth_limit, settings.queue_age_limit_s, settings.queue_stalled_s)
    probes: dict[str, Probe] = {
        "queue": RedisProbe(redis),
        "workers": WorkersProbe(redis),
        "backlog": BacklogProbe(redis, limits),
    }
    for part, url in urls.items():
        if url:
            peer = ServiceClient(part, url, secret, settings.probe_timeout_s)
            probes[part] = ServiceProbe(await stack.enter_async_context(peer))
    if settings.database_service_url:
        probes["store"] = StoreProbe(store)
    return probes


def _refuse_unknown_parts(settings: SchedulerSettings) -> None:
    unknown = sorted(settings.part_thresholds.keys() - PARTS.keys())
    if unknown:
        raise ValueError(f"VESTIBULE_PART_THRESHOLDS names no part: {', '.join(unknown)}")


def _rules(settings: SchedulerSettings) -> MonitorRules:
    return MonitorRules(
        settings.usual_thresholds, settings.part_thresholds, settings.probe_timeout_s, settings.probe_start_grace_s
    )
