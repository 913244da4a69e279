"""Wires the business logic service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from fastapi import FastAPI

from vestibule.alerts import RequestAlerts, alert_delivery, build_alert_engine
from vestibule.business_logic_service.api.process import router
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.detection import Scanner
from vestibule.encryption import KeyRingFile
from vestibule.policy import InvalidPolicy, Policy
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.processor_adapters.policy_loader import open_policy
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_registers import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.alert_metrics import AlertMetrics
from vestibule.service_kit.metrics.metrics import Metrics

DESCRIPTION = "Processes text at once, by the same processors as the workers."


def create_app(settings: BusinessLogicSettings) -> FastAPI:
    """Return the business logic service.

    Raises:
        ServiceSecretMissing: the secret of the services cannot be read.
        KeyRingUnreadable: the key ring cannot be read.
        InvalidPolicy: the policy file is none.
        ValueError: the settings name an alert channel or an entity that does not exist, or a processor of one's own
            cannot be used.
    """
    metrics = Metrics("business_logic")
    counted = AlertMetrics(metrics, settings.alert_channels)
    secret = ServiceSecret.read(settings.secret_file)
    pseudonymizer = build_pseudonymizer(KeyRingFile(settings.key_ring_path))
    door = RequestAlerts(build_alert_engine("business_logic", settings, counted.count_alert), pseudonymizer.fingerprint)
    policies = open_policy(settings)
    # Built when the first processor asks for it: most never do, and it is half of what the service would weigh.
    scanner = lru_cache(maxsize=1)(lambda: Scanner.from_settings(settings.detection))
    processors = build_registry(settings, scanner, lambda: policies.current, pseudonymizer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.processors = processors
        following = asyncio.create_task(policies.follow(_take_over, _keep_the_last))
        try:
            with alert_delivery(settings, counted.count_attempt):
                yield
        finally:
            following.cancel()

    app = create_service_app(
        "business_logic",
        DESCRIPTION,
        settings,
        [router],
        lifespan,
        on_invalid_input=door.report_invalid_input,
        metrics=metrics,
    )
    limit = AuthRateLimit(settings.auth_failures_per_minute, settings.trusted_proxies, door.report_guessed_tokens)
    app.state.authenticator = Authenticator(
        [secret.token_lookup(), *caller_token_lookups(settings)], door.report_auth_failure, limit
    )
    app.state.readiness = Readiness({})
    return app


async def _take_over(_policy: Policy) -> None:
    """Do nothing beyond following a new policy; the client service tells of it."""


async def _keep_the_last(_broken: InvalidPolicy) -> None:
    """Do nothing about a broken policy file beyond keeping the policy before it; the client service tells of it."""
