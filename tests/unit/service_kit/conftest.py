"""What the tests of the service kit share: settings in a temporary folder, a small real service, and its log."""

import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import pytest
import structlog
from fastapi import APIRouter, Query
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel, ConfigDict

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import InvalidInput
from vestibule.runtime.log_context import begin_log_fields
from vestibule.service_kit.auth.auth_rate_limit import AuthRateLimit
from vestibule.service_kit.auth.authentication import Authenticator, GuardedRoute, allow
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.wiring import ServiceWiring, frame_of

LogLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    """Settings of a service that keeps everything in the test's own folder."""
    return ServiceSettings(data_dir=tmp_path, embedded=True, max_body_bytes=10_000)


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Put the logging of the test run back as it was."""
    root = logging.getLogger()
    handlers, level, is_raising = list(root.handlers), root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook
    levels = {name: logger.level for name, logger in root.manager.loggerDict.items() if hasattr(logger, "level")}
    for handler in handlers:
        root.removeHandler(handler)  # so that nobody closes them
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    for name in list(root.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.raiseExceptions = is_raising
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()
    begin_log_fields({})


@pytest.fixture
def log_lines(settings: ServiceSettings, restored_logging: None) -> LogLines:
    """Configure logging as a service does, and return what reads the lines of its file."""
    configure_logging("test", settings, stdout=StringIO())
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the tests' own client

    def read() -> list[dict[str, Any]]:
        flush_log()
        path = settings.log_dir / "app.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


class Inner(BaseModel):
    """A member that is an object, closed to members that nobody documented."""

    model_config = ConfigDict(extra="forbid")

    number: int


class Nested(BaseModel):
    """A body with nested members."""

    model_config = ConfigDict(extra="forbid")

    inner: Inner
    numbers: list[int] = []
    flags: dict[str, bool] = {}


def sample_router() -> APIRouter:
    """Return routes of every kind that the frame has to do with."""
    router = APIRouter(route_class=GuardedRoute)

    @router.post("/pairs", dependencies=[allow("write")])
    async def write(pair: Pair) -> Pair:
        return pair

    @router.post("/nested", dependencies=[allow("write")])
    async def nest(nested: Nested, wait: Annotated[float, Query(ge=0)] = 0) -> dict[str, bool]:
        return {"ok": True}

    @router.get("/things/{thing}", dependencies=[allow("read")])
    async def thing(thing: str, limit: Annotated[int, Query(ge=1, le=5)] = 1, name: str = "") -> dict[str, int]:
        structlog.get_logger("sample").info("inside")
        return {"limit": limit}

    @router.get("/broken", dependencies=[allow("read")])
    async def broken() -> None:
        raise RuntimeError("the-cause-of-it-all")

    return router


class Service:
    """A small real service and the ways to call it."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.auth_failures: list[str | None] = []
        self.invalid_inputs: list[InvalidInput] = []
        self.app = create_service_app(
            "sample",
            "A sample.",
            settings,
            [sample_router()],
            self._lifespan,
            on_invalid_input=self._note_invalid,
            is_loggable=lambda request_id: "secret" not in request_id,
        )
        self.limited: list[str] = []
        self.denied: list[int] = []
        limit = AuthRateLimit(
            settings.auth_failures_per_minute,
            settings.trusted_proxies,
            self._note_limited,
            on_denied=self._note_denied,
        )
        authenticator = Authenticator(caller_token_lookups(settings), self.note_auth_failure, limit)
        frame_of(self.app).wiring = self.wiring = ServiceWiring(Readiness({}), authenticator)

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[ServiceWiring]:
        yield self.wiring

    async def _note_limited(self, address: str, _limit: int) -> None:
        self.limited.append(address)

    async def _note_denied(self, limit: int) -> None:
        self.denied.append(limit)

    async def note_auth_failure(self, token: str | None, _address: str | None) -> None:
        """Note a failed authentication."""
        self.auth_failures.append(token)

    async def _note_invalid(self, error: InvalidInput) -> None:
        self.invalid_inputs.append(error)

    def client(self, *, token: str | None = "SECRET_TOKEN", address: str = "127.0.0.1") -> AsyncClient:
        """Return a client that shows `token` and comes from `address`."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        transport = ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1234))
        return AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


@pytest.fixture
def service(settings: ServiceSettings) -> Service:
    """A small real service in embedded mode."""
    return Service(settings)
