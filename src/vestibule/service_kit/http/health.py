"""The routes that need no token: health, readiness and metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import BaseModel, Field
from starlette.responses import Response

from vestibule.contracts.errors import Unavailable
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import frame_of

Check = Callable[[], Awaitable[bool]]
CHECK_TIMEOUT_S = 1.0


class Readiness:
    """Checks whether everything that a service needs answers."""

    def __init__(self, checks: Mapping[str, Check], degraded: Callable[[], list[str]] = list) -> None:
        """Take the checks by name, and what returns the names of files that cannot be read but are not needed yet."""
        self._checks = checks
        self.degraded = degraded

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
    """The process is running. A degraded one works with what it read before its files became unreadable."""

    status: str = Field(default="ok", examples=["ok", "degraded"])
    unreadable: list[str] = Field(default=[], description="Files whose last change cannot be read")
    service: str = Field(examples=["client"])
    version: str = Field(examples=["0.1.0"])


router = APIRouter(tags=["health"])


@router.get("/health")
async def get_health(request: Request) -> Health:
    """Report that the process is running. Needs no token."""
    return Health(service=frame_of(request.app).service, version=request.app.version)


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
    missing = await frame.wiring.readiness.missing()
    if missing:
        raise Unavailable(missing[0], f"No answer from: {', '.join(missing)}.")
    health = await get_health(request)
    unreadable = frame.wiring.readiness.degraded()
    return health.model_copy(update={"status": "degraded", "unreadable": unreadable}) if unreadable else health


@router.get("/metrics", response_class=Response)
async def get_metrics(request: Request) -> Response:
    """Return the metrics of this service in the Prometheus text format; see `docs/monitoring.md`. Needs no token."""
    metrics = frame_of(request.app).metrics
    await metrics.refresh()
    return Response(metrics.render(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
