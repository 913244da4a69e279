"""The routes of the status: as JSON, as a page and as badges."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import HTMLResponse, Response

from vestibule.contracts.errors import NotFound
from vestibule.scheduler_service.api.status_auth import SCOPE, StatusPageRoute
from vestibule.scheduler_service.api.wiring import WiringPart
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.status_page.badge import draw_badge
from vestibule.scheduler_service.status_page.page_view import view_page
from vestibule.scheduler_service.status_page.status import Status
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["watch"])
view_router = APIRouter(route_class=StatusPageRoute, tags=["watch"])

SVG = "image/svg+xml"
COMMON_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Badges are embedded in other pages, whose caches would show an old one for a long time.
BADGE_HEADERS = {"Cache-Control": "no-cache, max-age=0", "X-Content-Type-Options": "nosniff"}
BADGE_POLICY = "default-src 'none'"


@router.get("/status", dependencies=[allow(SCOPE)], responses=problem_responses())
async def get_status(wiring: WiringPart) -> Status:
    """Return the state, last answer and availability of each part, with heartbeats, maintenance and incidents."""
    return await wiring.status_service.current(now())


@view_router.get(
    "/status/page", response_class=HTMLResponse, dependencies=[allow(SCOPE)], responses=problem_responses()
)
async def get_status_page(wiring: WiringPart) -> HTMLResponse:
    """Return the status as a page that refreshes itself. Send a token as the password, unless the page is public."""
    status = await wiring.status_service.current(now())
    html = wiring.status_page.draw(view_page(status, wiring.status_service.history))
    return HTMLResponse(html, headers={**COMMON_HEADERS, "Content-Security-Policy": wiring.status_page.policy})


@view_router.get(
    "/status/badge/{part}.svg",
    response_class=Response,
    dependencies=[allow(SCOPE)],
    responses={200: {"content": {SVG: {}}}, **problem_responses(NotFound)},
)
async def get_badge(
    wiring: WiringPart,
    part: Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="As `GET /status` names it")],
) -> Response:
    """Return a badge with the state of one part. It is public where the page is."""
    status = await wiring.status_service.current(now())
    return Response(
        draw_badge(status.part(part)),
        headers={**BADGE_HEADERS, "Content-Security-Policy": BADGE_POLICY},
        media_type=SVG,
    )
