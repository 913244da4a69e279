"""Wires the scheduler service."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from redis.asyncio import Redis

from vestibule.alerts import AlertEngine, DoorAlerts, build_alert_engine, delivering
from vestibule.contracts.schedules import OWNER as SCHEDULES_OWNER
from vestibule.encryption import Fingerprinter, KeyRingFile
from vestibule.scheduler_service.api import heartbeats, maintenance, status
from vestibule.scheduler_service.availability.monitor import Watch, WatchRules
from vestibule.scheduler_service.availability.monitor_state import Memory
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
from vestibule.scheduler_service.availability.queue_metrics import QueueGauges
from vestibule.scheduler_service.availability.status import StatusDesk
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatWatch
from vestibule.scheduler_service.leadership.fallback_lock import RedisWitness
from vestibule.scheduler_service.leadership.jobs import Rota
from vestibule.scheduler_service.leadership.lease import Lease
from vestibule.scheduler_service.leadership.operator_input_job import Duties
from vestibule.scheduler_service.maintenance.reason_check import ReasonCheck
from vestibule.scheduler_service.operator_inputs import Books
from vestibule.scheduler_service.schedules.schedule_runner import ScheduleKeeper
from vestibule.scheduler_service.schedules.task_submission import TaskGateway
from vestibule.scheduler_service.settings import SchedulerSettings
from vestibule.scheduler_service.state_store import StoreGateway
from vestibule.scheduler_service.status_page.page import StatusPage
from vestibule.service_kit.auth.auth_rate_limit import StrangerLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_registers import caller_registers
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.http.service_client import PeerClient
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
    door = DoorAlerts(alerts, fingerprint)
    _refuse_unknown_parts(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(delivering(settings, counted.count_attempt))
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
    limit = StrangerLimit(settings.strangers_per_minute, settings.trusted_proxies, door.report_guessing)
    if settings.embedded:
        # Where all parts are on one machine, the workers have no port of their own.
        metrics.join(lambda: read_neighbours(settings.metrics_dir))
    app.state.authenticator = Authenticator(
        [secret.register(), *caller_registers(settings)], door.report_stranger, limit
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
    metrics.ask(QueueGauges(redis).measure)
    probed = ProbeMetrics(metrics, shown_for_s=3 * settings.probe_interval_s + settings.probe_timeout_s)
    metrics.ask(probed.forget_old)
    database = PeerClient("database", settings.database_service_url, secret, settings.peer_timeout_s)
    store = StoreGateway(await stack.enter_async_context(database))
    probes = await _probes(settings, secret, redis, store, stack)
    # Who comes back under the same name takes its own lease at once.
    lease = Lease(store, RedisWitness(redis), f"{socket.gethostname()}:{settings.port}", settings.lease_s)
    memory = Memory(store, lease, {part: part in probes for part in PARTS})
    books = Books(store)
    watch = Watch(
        probes,
        memory,
        alerts,
        _rules(settings),
        is_planned=books.windows.is_planned,
        on_probe=probed.count_probe,
    )
    heartbeats = HeartbeatWatch(
        books.heartbeats,
        lambda: memory.incidents,
        alerts,
        books.windows.is_planned,
        start_grace_s=settings.probe_start_grace_s,
    )
    duties = Duties(lease, memory, books, heartbeats)
    app.state.desk = StatusDesk(memory, lease, books)
    app.state.books, app.state.heartbeats, app.state.windows = books, books.heartbeats, books.windows
    rota = Rota(lease)
    for part in probes:
        rota.add(f"probe-{part}", settings.probe_interval_s, partial(watch.probe, part))
    rota.add("save", settings.watch_save_s, memory.save)
    rota.add_everywhere("books", settings.watch_read_s, duties.look_after_books)
    await _follow_schedules(settings, secret, rota, stack)
    stack.push_async_callback(rota.close)
    stack.push_async_callback(memory.save)
    await rota.start()


async def _follow_schedules(
    settings: SchedulerSettings, secret: ServiceSecret, rota: Rota, stack: AsyncExitStack
) -> None:
    if not settings.database_service_url:
        return
    peer = PeerClient("database", settings.database_service_url, secret, settings.peer_timeout_s)
    await stack.enter_async_context(peer)
    keeper = ScheduleKeeper(StoreGateway(peer, SCHEDULES_OWNER), TaskGateway(peer), settings.watch_read_s)
    rota.add("schedules", settings.schedule_look_s, keeper.follow)


async def _probes(
    settings: SchedulerSettings, secret: ServiceSecret, redis: Redis, store: StoreGateway, stack: AsyncExitStack
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
            peer = PeerClient(part, url, secret, settings.probe_timeout_s)
            probes[part] = ServiceProbe(await stack.enter_async_context(peer))
    if settings.database_service_url:
        probes["store"] = StoreProbe(store)
    return probes


def _refuse_unknown_parts(settings: SchedulerSettings) -> None:
    unknown = sorted(settings.part_thresholds.keys() - PARTS.keys())
    if unknown:
        raise ValueError(f"VESTIBULE_PART_THRESHOLDS names no part: {', '.join(unknown)}")


def _rules(settings: SchedulerSettings) -> WatchRules:
    return WatchRules(
        settings.usual_thresholds, settings.part_thresholds, settings.probe_timeout_s, settings.probe_start_grace_s
    )
