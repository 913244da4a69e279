"""Errors as pages for people: what happened, what to do, and the id to look for in the log."""

from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from vestibule.client.errors import NoAnswer, UnexpectedAnswer
from vestibule.console.session.origin import page_before
from vestibule.console.web.rendering import is_for_part
from vestibule.console.web.viewer import SAFE_METHODS, FieldMissing, SignInNeeded
from vestibule.console.web.wiring import ConsoleWiring
from vestibule.contracts.errors import (
    InvalidInput,
    InvalidToken,
    NotFound,
    Refused,
    ScopeMissing,
    Unavailable,
    VestibuleError,
)
from vestibule.service_kit.http.health import router as health_router
from vestibule.service_kit.problems import render_error
from vestibule.service_kit.wiring import wiring_of

SIGN_IN = "/sign-in"
# These are for programs, also here.
_FOR_PROGRAMS = frozenset(route.path for route in health_router.routes if hasattr(route, "path"))


def show_errors_as_pages(app: FastAPI) -> None:
    """Let `app` answer every error of its pages with a page."""

    @app.exception_handler(VestibuleError)
    async def named(request: Request, error: VestibuleError) -> Response:
        if request.url.path in _FOR_PROGRAMS:
            return render_error(error, request.state.request_id)
        return show_error(request, error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, _error: RequestValidationError) -> Response:
        return show_error(request, InvalidInput("The address or the form is not valid."))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return show_error(request, NotFound("The console has no page at this address."))
        return show_error(request, Refused(error.detail), status=error.status_code)


def show_error(request: Request, error: VestibuleError, *, status: int | None = None) -> Response:
    """Return the page of an error. Where nobody is signed in, or the token is not known any more: that to sign in."""
    wiring = wiring_of(request, ConsoleWiring)
    if isinstance(error, InvalidInput) and is_about_the_address(error):
        error = NotFound("Nothing has this id: it is not written as one. Copy all of it, and nothing more.")
    if isinstance(error, SignInNeeded | InvalidToken):
        return _to_sign_in(request, wiring, has_ended=isinstance(error, InvalidToken))
    is_part = is_for_part(request)
    response = wiring.pages.render(
        request,
        "parts/problem.html.jinja" if is_part else "problem.html.jinja",
        {"error": error, "request_id": request.state.request_id, "ways": _ways_on(request, error)},
        session=None if is_part else wiring.sessions.open(request.cookies.get(wiring.cookie, "")),
        status=status or status_of(error),
    )
    if is_part:
        response.headers["HX-Retarget"] = "#notices"
        response.headers["HX-Reswap"] = "innerHTML"
        # The element that asked may have chosen a part of the page that it expected.
        response.headers["HX-Reselect"] = ".notice"
    return response


def _ways_on(request: Request, error: VestibuleError) -> list[tuple[str, str]]:
    """Return where a person may go from the page of an error: addresses, each with what it says."""
    before = None if request.method in SAFE_METHODS else page_before(request)
    if before is not None:
        return [(before, "Back to the page")]
    is_away = request.method in SAFE_METHODS and status_of(error) == 503
    return [(_address_of(request), "Try again")] if is_away else []


def status_of(error: VestibuleError) -> int:
    """Return the HTTP status of a page that shows an error."""
    if isinstance(error, NoAnswer | UnexpectedAnswer | Unavailable):
        return 503
    if error.status is not None:
        return error.status
    if isinstance(error, FieldMissing | InvalidInput):
        return 422
    if isinstance(error, NotFound):
        return 404
    return 403 if isinstance(error, ScopeMissing | Refused) else 500


def _address_of(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def is_about_the_address(error: InvalidInput) -> bool:
    """Say whether the API refused an id in its path: for a person there is no such page."""
    errors = error.extra.get("errors")
    if not isinstance(errors, list) or not errors:
        return False
    return all(str(one.get("where", "")).startswith("path/") for one in errors)


def _to_sign_in(request: Request, wiring: ConsoleWiring, *, has_ended: bool) -> Response:
    target = _address_of(request)
    is_action, is_part = request.method not in SAFE_METHODS, is_for_part(request)
    if is_action or is_part:
        # An action cannot be repeated by its address, and a part is no page; the page that it stands on can be opened.
        target = page_before(request) or "/"
    members = {} if target == "/" else {"next": target}
    if is_action:
        members["undone"] = "1"
    if has_ended:
        members["ended"] = "1"
    address = f"{SIGN_IN}?{urlencode(members)}" if members else SIGN_IN
    if is_part:
        response = Response(status_code=204, headers={"HX-Redirect": address})
    else:
        response = RedirectResponse(address, 303)
    if has_ended:
        response.delete_cookie(wiring.cookie)
    return response
