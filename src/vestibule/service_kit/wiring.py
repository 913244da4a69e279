"""The one object that a service's application carries, and typed access to it from routes.

A service's `main.py` builds its wiring, a frozen dataclass of everything that its routes call, and is the only file
that knows the concrete classes. The service's lifespan yields it, and `create_service_app` puts it into the frame.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from fastapi import FastAPI, Request

from vestibule.contracts.identity import Visibility
from vestibule.runtime.starts import StartRefused
from vestibule.service_kit.audit.acts import ActRecorder
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.processes.table import ProcessTable

Wiring = TypeVar("Wiring")


class RequestAuthenticator(Protocol):
    """Authenticates requests; `auth/authentication.py` has the implementation."""

    async def authenticate(self, request: Request, scope: str, credentials: Any = None) -> None:
        """Set `request.state.caller`, or raise where the caller is unknown or lacks `scope`."""
        ...

    async def require(self, caller: Any, scope: str) -> None:
        """Raise where the caller lacks a scope that a part of its request needs."""
        ...

    def visibility_of(self, caller: Any) -> Visibility:
        """Return what the caller sees beside its own data; None is anybody."""
        ...


class ReadinessCheck(Protocol):
    """Checks what a service depends on; `http/health.py` has the implementation."""

    async def missing(self) -> list[str]:
        """Return the names of the dependencies that do not answer."""
        ...

    def degradations(self) -> list[str]:
        """Return what is degraded although the service answers."""
        ...


@dataclass(frozen=True, slots=True)
class BaseWiring:
    """What the wiring of everything that serves HTTP has: what answers `/readyz`."""

    readiness: ReadinessCheck


@dataclass(frozen=True, slots=True)
class ServiceWiring(BaseWiring):
    """What the wiring of every service has: also what authenticates guarded routes."""

    authenticator: RequestAuthenticator
    # Of the services whose routes are acts of persons and scripts.
    audit: ActRecorder | None = field(default=None, kw_only=True)


@dataclass(slots=True)
class ServiceFrame:
    """What a service's application knows about itself.

    `wiring` is set from the start of the lifespan on, `refusal` where the lifespan refuses to start, and `processes`
    where several serve one port.
    """

    service: str
    metrics: Metrics
    is_shutting_down: bool = False
    refusal: StartRefused | None = None
    processes: ProcessTable | None = None
    wiring: BaseWiring = field(init=False)


def attach_frame(app: FastAPI, frame: ServiceFrame) -> None:
    """Make `frame` the frame of `app`."""
    app.state.frame = frame


def frame_of(app: FastAPI) -> ServiceFrame:
    """Return the frame of a service's application."""
    frame: ServiceFrame = app.state.frame
    return frame


def wiring_of(request: Request, kind: type[Wiring]) -> Wiring:
    """Return the wiring of the service that serves `request`.

    Raises:
        TypeError: the service has a wiring of another type.
    """
    wiring = request.scope["app"].state.frame.wiring
    if not isinstance(wiring, kind):
        raise TypeError(f"the service has {type(wiring).__name__}, not {kind.__name__}")
    return wiring


def wired(kind: type[Wiring]) -> Callable[[Request], Awaitable[Wiring]]:
    """Return the dependency that gives a route its service's wiring: `Annotated[KIND, Depends(wired(KIND))]`."""

    async def wiring(request: Request) -> Wiring:
        return wiring_of(request, kind)

    return wiring
