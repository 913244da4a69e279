"""The routes of the status: as JSON, as a page and as badges."""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from vestibule.contracts.errors import InvalidToken, NotFound
from vestibule.scheduler_service.api.wiring import SchedulerWiring, WiringPart
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.status_page.page import draw_badge
from vestibule.scheduler_service.status_page.page_view import view_page
from vestibule.scheduler_service.status_page.status import HistorySpan, Status
from vestibule.service_kit.auth.authentication import (
    Credentials,
    GuardedRoute,
    VisibilityPart,
    allow,
    credentials_of,
    direct_address,
    is_loopback,
)
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.problems import render_error
from vestibule.service_kit.wiring import wiring_of

SCOPE = "status"
CHALLENGE = 'Basic realm="Vestibule status", charset="UTF-8"'


SVG = "image/svg+xml"
COMMON_HEADERS = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
# Badges are embedded in other pages, whose caches would show an old one for a long time.
BADGE_HEADERS = {"Cache-Control": "no-cache, max-age=0"}
BADGE_POLICY = "default-src 'none'"


class StatusPageRoute(APIRoute):
    """A route for browsers, which accepts a token as a password."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that authenticates first."""
        handle = super().get_route_handler()

        async def authenticated(request: Request) -> Response:
            wiring = wiring_of(request, SchedulerWiring)
            if not wiring.is_status_public:
                credentials = credentials_of(request) or _password_of(request)
                if credentials is None:
                    # The first request of every browser has no password; it does not count as a failure.
                    return _ask(request)
                try:
                    await wiring.authenticator.authenticate(request, SCOPE, credentials)
                except InvalidToken:
                    return _ask(request)
            return await handle(request)

        return authenticated


def _password_of(request: Request) -> Credentials | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    address = direct_address(request)
    return Credentials(token, is_loopback(address), address) if token else None


def _ask(request: Request) -> Response:
    error = InvalidToken("Use a token with the scope `status` as the password, with any user name.")
    answer = render_error(error, request.state.request_id)
    answer.headers.append("WWW-Authenticate", CHALLENGE)
    return answer


router = APIRouter(route_class=GuardedRoute, tags=["watch"])
view_router = APIRouter(route_class=StatusPageRoute, tags=["watch"])


@router.get("/status", dependencies=[allow(SCOPE)], responses=problem_responses())
async def get_status(
    wiring: WiringPart,
    visibility: VisibilityPart,
    history: Annotated[
        HistorySpan | None,
        Query(description="Whether each part has its `history`: the half hours of a day, or the days of a month"),
    ] = None,
) -> Status:
    """Return the state, last answer and availability of each part, with heartbeats, maintenance and incidents.

    Heartbeats and maintenance windows are those of your tenant; with the scope `operator` those of all.
    """
    return await wiring.status_service.current(now(), visibility, history)


@view_router.get(
    "/status/page", response_class=HTMLResponse, dependencies=[allow(SCOPE)], responses=problem_responses()
)
async def get_status_page(wiring: WiringPart, visibility: VisibilityPart) -> HTMLResponse:
    """Return the status as a page that refreshes itself. Send a token as the password, unless the page is public."""
    status = await wiring.status_service.current(now(), visibility)
    html = wiring.status_page.draw(view_page(status, wiring.status_service.history))
    return HTMLResponse(html, headers={**COMMON_HEADERS, "Content-Security-Policy": wiring.status_page.policy})


@view_router.get(
    "/status/badge/{part}.svg",
    response_class=Response,
    dependencies=[allow(SCOPE)],
    responses={200: {"content": {SVG: {"schema": {"type": "string"}}}}, **problem_responses(NotFound)},
)
async def get_badge(
    wiring: WiringPart,
    visibility: VisibilityPart,
    part: Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="As `GET /status` names it")],
) -> Response:
    """Return a badge with the state of one part. It is public where the page is."""
    status = await wiring.status_service.current(now(), visibility)
    return Response(
        draw_badge(status.part(part)),
        headers={**BADGE_HEADERS, "Content-Security-Policy": BADGE_POLICY},
        media_type=SVG,
    )
