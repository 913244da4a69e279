"""Sign in with a token, and sign out."""

import math
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from vestibule.client.errors import NoAnswer, UnexpectedAnswer
from vestibule.client.results.administration import OwnToken
from vestibule.console.session.origin import check_origin, is_own_address, is_secure
from vestibule.console.session.sessions import LIFETIME_S
from vestibule.console.web.viewer import ConsoleRoute, ViewerPart, client_for
from vestibule.console.web.wiring import ConsoleWiring, WiringPart
from vestibule.contracts.errors import InvalidToken, Unavailable, VestibuleError

router = APIRouter(include_in_schema=False)
guarded_router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

MAX_TOKEN_CHARS = 512
MAX_FIELDS = 10


@router.get("/sign-in")
async def show_sign_in(
    request: Request,
    wiring: WiringPart,
    following: Annotated[str, Query(alias="next")] = "/",
    ended: bool = False,
    undone: bool = False,
) -> Response:
    """Show the form; somebody who is signed in goes on to where they wanted."""
    following = _own_address(following)
    if wiring.sessions.open(request.cookies.get(wiring.cookie, "")) is not None:
        return RedirectResponse(following, 303)
    said = "Your token is no longer valid, or your session has ended. Sign in again."
    if undone:
        said += " What you sent was not done: you come back to the page that you sent it from."
    return _form(request, wiring, following, said if ended or undone else None)


@router.post("/sign-in")
async def sign_in(request: Request, wiring: WiringPart) -> Response:
    """Open a session for the token of the form, if the client service knows it."""
    check_origin(request)
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    token, following = str(form.get("token") or "").strip(), _own_address(str(form.get("next") or "/"))
    if not token or len(token) > MAX_TOKEN_CHARS:
        return _form(request, wiring, following, "Enter a token.", status=422)
    try:
        own = await client_for(request, wiring, token).tokens.own()
    except (InvalidToken, ValueError):
        return _form(request, wiring, following, "This token is not known, or it has expired.", status=401)
    except (NoAnswer, UnexpectedAnswer, Unavailable) as error:
        said = f"The client service does not answer, so nobody can sign in now. {error.detail}"
        return _form(request, wiring, following, said, status=503)
    except VestibuleError as error:
        return _form(request, wiring, following, error.detail, status=error.status or 403)
    response = RedirectResponse(following, 303)
    _set_session(request, response, wiring, token, own)
    return response


@guarded_router.post("/sign-out")
async def sign_out(viewer: ViewerPart, wiring: WiringPart) -> Response:
    """End the session of this browser. The token stays valid."""
    response = viewer.back("/sign-in")
    response.delete_cookie(wiring.cookie)
    return response


def _set_session(request: Request, response: Response, wiring: ConsoleWiring, token: str, own: OwnToken) -> None:
    until = math.inf if own.expires_at is None else own.expires_at.timestamp()
    session = wiring.sessions.begin(
        token, token_id=own.id, name=own.name, tenant=own.tenant, scopes=own.scopes, until=until
    )
    # Lax: a link in a notification arrives signed in.
    response.set_cookie(
        wiring.cookie,
        wiring.sessions.seal(session),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )


def _form(
    request: Request, wiring: ConsoleWiring, following: str, said: str | None = None, status: int = 200
) -> Response:
    return wiring.pages.render(request, "sign_in.html.jinja", {"following": following, "said": said}, status=status)


def _own_address(address: str) -> str:
    return address if is_own_address(address) else "/"
