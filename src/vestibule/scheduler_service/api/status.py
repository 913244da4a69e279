"""The routes of the scheduler service: how all is, for programs and for people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse, Response

from vestibule.contracts.errors import NotFound
from vestibule.scheduler_service.api.status_auth import SCOPE, StatusPageRoute
from vestibule.scheduler_service.api.wiring import SchedulerWiring
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.status_page.badge import draw_badge
from vestibule.scheduler_service.status_page.page_view import view_page
from vestibule.scheduler_service.status_page.status import Status, StatusService
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute, tags=["watch"])
view_router = APIRouter(route_class=StatusPageRoute, tags=["watch"])

SVG = "image/svg+xml"
COMMON_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A badge stands on other people's pages, and those are kept by caches that would show it for ever.
BADGE_HEADERS = {"Cache-Control": "no-cache, max-age=0", "X-Content-Type-Options": "nosniff"}
BADGE_POLICY = "default-src 'none'"


async def _status_service(request: Request) -> StatusService:
    status_service = wiring_of(request, SchedulerWiring).status_service
    await status_service.look_over()
    return status_service


StatusServicePart = Annotated[StatusService, Depends(_status_service)]


@router.get("/status", dependencies=[allow(SCOPE)], responses=problem_responses())
async def status(status_service: StatusServicePart) -> Status:
    """Say of each part how it is doing, when it last answered, and how available it was; and all else that is known."""
    return status_service.status(now())


@view_router.get(
    "/status/page", response_class=HTMLResponse, dependencies=[allow(SCOPE)], responses=problem_responses()
)
async def status_page(request: Request, status_service: StatusServicePart) -> HTMLResponse:
    """Show how all is on a page that can be left open: to whoever gives a token as the password, or to everybody."""
    wiring = wiring_of(request, SchedulerWiring)
    html = wiring.page.draw(view_page(status_service.status(now()), status_service.history), wiring.probe_interval_s)
    return HTMLResponse(html, headers={**COMMON_HEADERS, "Content-Security-Policy": wiring.page.policy})


@view_router.get(
    "/status/badge/{part}.svg",
    response_class=Response,
    dependencies=[allow(SCOPE)],
    responses={200: {"content": {SVG: {}}}, **problem_responses(NotFound)},
)
async def badge(
    status_service: StatusServicePart,
    part: Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="As `GET /status` names it")],
) -> Response:
    """Draw how one part is. Open as the page is."""
    found = next((one for one in status_service.status(now()).parts if one.name == part), None)
    if found is None:
        raise NotFound("No part has that name.")
    return Response(
        draw_badge(found), headers={**BADGE_HEADERS, "Content-Security-Policy": BADGE_POLICY}, media_type=SVG
    )
