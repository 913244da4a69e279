"""Builds the console. It holds no key, no database and no privilege: it calls the public API for each person."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from vestibule.client.asynchronous.client import AsyncClient
from vestibule.client.errors import NoAnswer
from vestibule.console.pages import ROUTERS
from vestibule.console.session.sessions import Sessions
from vestibule.console.settings import ConsoleSettings
from vestibule.console.web.assets import Assets
from vestibule.console.web.problems import show_errors_as_pages
from vestibule.console.web.rendering import Pages
from vestibule.console.web.viewer import USER_AGENT
from vestibule.console.web.wiring import ConsoleWiring
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.metrics.metrics import Metrics

DESCRIPTION = "Pages for people, over the public API with the token of each person."
# A person waits for a page; nobody waits longer.
TIMEOUT_S = 10.0


def create_app(settings: ConsoleSettings) -> FastAPI:
    """Return the console.

    Raises:
        ServiceSecretMissing: the secret of the cookies cannot be read.
        ValueError: an address in the settings is not valid.
    """
    metrics = Metrics("console")
    sessions = Sessions(settings.cookie_secret_file)
    assets = Assets()
    pages = Pages(assets, sessions)
    cookie = f"vestibule_console_{settings.port}"

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[ConsoleWiring]:
        client = AsyncClient(
            settings.client_service_url,
            # Never used: without one the client would take that of the environment.
            "-",
            scheduler_url=settings.scheduler_url,
            timeout_s=TIMEOUT_S,
            user_agent=USER_AGENT,
        )

        async def answers() -> bool:
            try:
                await client.services.health()
            except NoAnswer:
                return False
            return True

        async with client:
            yield ConsoleWiring(
                readiness=Readiness({"client": answers}),
                client=client,
                sessions=sessions,
                pages=pages,
                cookie=cookie,
            )

    app = create_service_app(
        "console",
        DESCRIPTION,
        settings,
        [assets.router(), *ROUTERS],
        lifespan,
        metrics=metrics,
        has_api=False,
    )
    show_errors_as_pages(app)
    return app
