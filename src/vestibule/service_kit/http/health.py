"""The routes that need no token: health, readiness and metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field
from starlette.responses import Response

from vestibule.contracts.errors import Unavailable
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import frame_of

Check = Callable[[], Awaitable[bool]]
# Returns what is degraded, in a few words for people; None while nothing is.
Note = Callable[[], str | None]
CHECK_TIMEOUT_S = 1.0


class Readiness:
    """Checks whether everything that a service needs answers, and says what is degraded although it answers."""

    def __init__(self, checks: Mapping[str, Check], notes: Sequence[Note] = ()) -> None:
        self._checks = checks
        self._notes = notes

    def degradations(self) -> list[str]:
        """Return what is degraded, each in a few words for people."""
        return [said for note in self._notes if (said := note()) is not None]

    async def missing(self) -> list[str]:
        """Return the names of the parts that do not answer within a second."""
        answers = await asyncio.gather(*(self._answers(check) for check in self._checks.values()))
        return [part for part, answered in zip(self._checks, answers, strict=True) if not answered]

    @staticmethod
    async def _answers(check: Check) -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await check()
        except Exception:  # noqa: BLE001 - any error means that the part does not answer
            return False


class Health(BaseModel):
    """The process is running; `degraded` where it serves requests and something needs attention."""

    status: Literal["ok", "degraded"] = Field(default="ok", examples=["ok"])
    service: str = Field(examples=["client"])
    version: str = Field(examples=["0.1.0"])
    notes: list[str] = Field(default=[], description="What is degraded")


router = APIRouter(tags=["health"])


@router.get("/health")
async def get_health(request: Request) -> Health:
    """Report that the process is running. Needs no token."""
    frame = frame_of(request.app)
    notes = frame.wiring.readiness.degradations()
    status = "degraded" if notes else "ok"
    return Health(status=status, service=frame.service, version=request.app.version, notes=notes)


@router.get("/healthz", include_in_schema=False)
async def get_health_alias(request: Request) -> Health:
    """Say the same under the name that Kubernetes users expect."""
    return await get_health(request)


@router.get("/readyz", responses=problem_responses(503, is_guarded=False))
async def get_readiness(request: Request) -> Health:
    """Report whether every dependency of this service answers; a 503 names those that do not. Needs no token."""
    frame = frame_of(request.app)
    if frame.is_shutting_down:
        raise Unavailable(frame.service, "Service is shutting down; send requests to another instance.")
    missing = [*(frame.processes.missing() if frame.processes else []), *await frame.wiring.readiness.missing()]
    if missing:
        raise Unavailable(missing[0], f"No answer from: {', '.join(missing)}.")
    return await get_health(request)


@router.get("/metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of this service in the Prometheus text format; see `docs/monitoring.md`. Needs no token."""
    metrics = frame_of(request.app).metrics
    await metrics.refresh()
    return Response(metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
