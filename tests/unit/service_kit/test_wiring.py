"""Routes get their service's wiring by its type; the application carries nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request
from httpx import ASGITransport, AsyncClient

from vestibule.service_kit import wiring
from vestibule.service_kit.auth.authentication import Authenticator, GuardedRoute, allow
from vestibule.service_kit.auth.token_file import caller_token_lookups
from vestibule.service_kit.http.app import create_service_app
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.wiring import ServiceWiring, frame_of, wired, wiring_of


@dataclass(frozen=True, slots=True)
class GreetingWiring(ServiceWiring):
    """The wiring of a small service."""

    greeting: str


@dataclass(frozen=True, slots=True)
class OtherWiring:
    """The wiring of another service."""


GreetingPart = Annotated[GreetingWiring, Depends(wired(GreetingWiring))]
router = APIRouter(route_class=GuardedRoute)


@router.get("/greeting", dependencies=[allow("read")])
async def get_greeting(parts: GreetingPart) -> str:
    """Return what the service was wired with."""
    return parts.greeting


@router.get("/other", dependencies=[allow("read")])
async def get_other(request: Request) -> str:
    """Ask for the wiring of another service."""
    with pytest.raises(TypeError, match="GreetingWiring, not OtherWiring"):
        wiring_of(request, OtherWiring)
    return "refused"


async def test_a_route_gets_the_wiring_that_the_lifespan_yields(settings: ServiceSettings) -> None:
    """By its type; a route that asks for another service's wiring gets a `TypeError`."""

    async def ignore(_token: str | None, _address: str | None) -> None:
        """Do nothing about an unknown caller."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[GreetingWiring]:
        yield GreetingWiring(Readiness({}), Authenticator(caller_token_lookups(settings), ignore), "hello")

    app = create_service_app("sample", "A sample.", settings, [router], lifespan)
    client = AsyncClient(
        transport=ASGITransport(app), base_url="http://127.0.0.1", headers={"Authorization": "Bearer SECRET_TOKEN"}
    )
    async with app.router.lifespan_context(app), client:
        answers = [(await client.get(path)).json() for path in ("/greeting", "/other")]
    assert ["hello", "refused"] == answers
    assert {"frame"} == set(app.state._state)


def test_there_is_no_wiring_before_the_lifespan(service: Any, settings: ServiceSettings) -> None:
    """Reading it then is an error, and no part that is half built."""
    app = create_service_app("sample", "A sample.", settings, [router], service._lifespan)
    with pytest.raises(AttributeError, match="wiring"):
        frame_of(app).wiring  # noqa: B018 - reading is what is tested


def test_only_this_module_touches_the_state_of_the_application() -> None:
    """Everything else reads it by type, so that a type checker follows it."""
    source = Path(wiring.__file__).parents[1]
    users = [path.relative_to(source) for path in source.rglob("*.py") if "app.state" in path.read_text()]
    assert [Path("service_kit/wiring.py")] == users
