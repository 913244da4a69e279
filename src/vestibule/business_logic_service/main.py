"""Wires the business logic service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from fastapi import FastAPI

from vestibule.alerts import RequestAlerts, alert_delivery, build_alert_engine
from vestibule.business_logic_service.api.process import BusinessLogicWiring, router
from vestibule.business_logic_service.processor_pool import ProcessorPool
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.database_client.tokens import CallerTokens
from vestibule.database_client.transport import DatabaseTransport
from vestibule.detection import Scanner
from vestibule.encryption import KeyRingFile
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.processor_adapters.settings import open_policy
from vestibule.runtime.background import in_background
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.secret_files import SecretFiles
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.metrics import AlertMetrics, Metrics, measure_logs
from vestibule.service_kit.service_client import CircuitBreaker, ServiceClient

DESCRIPTION = "Processes text synchronously, with the same processors as the workers."


def create_app(settings: BusinessLogicSettings) -> FastAPI:
    """Return the business logic service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        InvalidPolicy: the policy file is not valid.
        ValueError: the settings name an alert channel or an entity that does not exist, or a custom processor
            cannot be loaded.
    """
    metrics = Metrics("business_logic")
    alert_metrics = AlertMetrics(metrics, settings.alert_channels)
    secret = ServiceSecret.read(settings.secret_file)
    ring = KeyRingFile(settings.key_ring_path)
    # Built when a processor first needs it: most never do, and it takes half of the memory of the service.
    scanner = lru_cache(maxsize=1)(lambda: Scanner.from_settings(settings.detection))
    pseudonymizer = build_pseudonymizer(ring, scanner)
    alerts = build_alert_engine("business_logic", settings, alert_metrics.count_alert)
    request_alerts = RequestAlerts(alerts, pseudonymizer.fingerprint)
    policies = open_policy(settings)
    processors = build_registry(settings, scanner, lambda: policies.current, pseudonymizer)

    limit = AuthRateLimit(
        settings.auth_failures_per_minute,
        settings.trusted_proxies,
        request_alerts.report_guessed_tokens,
        on_denied=request_alerts.report_denied,
    )
    caller_tokens = CallerTokens(settings, "business_logic", ring)
    lookups = [secret, *caller_token_lookups(settings, caller_tokens.directory)]
    pool = ProcessorPool(processors, settings.task_time_limit_s, prepare=scanner, on_start=policies.follow_in_thread)
    authenticator = caller_tokens.authenticator(lookups, request_alerts.report_auth_failure, limit)
    secret_files = SecretFiles(ring, lookups)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[BusinessLogicWiring]:
        watching = (policies.follow(_ignore, _ignore), secret_files.follow(alerts.report_broken_file))
        # The pool first: it forks, and the others start threads.
        database = _client_of_database(settings, secret)
        async with pool.running(), in_background(*watching), database:
            follower = caller_tokens.follower(DatabaseTransport(database))
            with alert_delivery(settings, alert_metrics.count_attempt) as notifications:
                measure_logs(metrics, notifications.log)
                async with follower.running():
                    yield BusinessLogicWiring(
                        authenticator=authenticator,
                        readiness=Readiness({}, [secret_files.note, notifications.log.note, pool.note]),
                        pool=pool,
                    )

    return create_service_app(
        "business_logic",
        DESCRIPTION,
        settings,
        [router],
        lifespan,
        on_invalid_input=request_alerts.report_invalid_input,
        is_peer=secret.is_peer,
        metrics=metrics,
    )


def _client_of_database(settings: BusinessLogicSettings, secret: ServiceSecret) -> ServiceClient:
    url, timeout_s = settings.database_service_url, settings.service_timeout_s
    return ServiceClient("database", url, secret, timeout_s, CircuitBreaker())


async def _ignore(_change: object) -> None:
    """Report nothing: the client service reports new policies and invalid files."""
