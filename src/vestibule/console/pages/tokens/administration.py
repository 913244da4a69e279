"""The pages of tokens: list, make, rotate and revoke them."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.administration import Token
from vestibule.console.pages.tokens.forms import (
    EXPIRIES,
    NOT_OWN,
    OVERLAPS,
    open_roles,
    open_scopes,
    role_of,
    terms_of,
    whole_number,
)
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, Refused, TokenNotFound
from vestibule.contracts.scopes import SCOPES

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PAGE_SIZE = 100
LATEST = 5

Text = Annotated[str, Query()]


class OwnTokenUnconfirmed(Refused):
    """A person would revoke the token that they are signed in with, and did not say that they know."""

    slug, title = "own-token", "This is your own token"


@router.get("/tokens")
async def show_tokens(viewer: ViewerPart, cursor: Text = "") -> Response:
    """Show the tokens: what each may do, until when, and how it is used."""
    tokens = viewer.client.tokens.list(page_size=PAGE_SIZE, cursor=cursor or None)
    parts = await viewer.parts(tokens=tokens.page())
    return viewer.page("tokens/list.html.jinja", **parts, role_of=role_of)


@router.get("/tokens/new")
async def show_form(viewer: ViewerPart) -> Response:
    """Show the form for a new token: the scopes that the own token has, and no others."""
    return _form(viewer)


@router.post("/tokens")
async def create_token(viewer: ViewerPart) -> Response:
    """Create a token, and answer with it: it is in no address, and shown once."""
    name, terms = viewer.field("name"), terms_of(viewer.form)
    made = await viewer.part(viewer.client.tokens.create(name, **terms))
    if isinstance(made.error, InvalidInput | PersonalDataFound):
        return _form(viewer, refused=made.error)
    if made.error is not None:
        raise made.error
    return viewer.page("tokens/made.html.jinja", token=made.value, is_new=True, is_own=False)


@router.get("/tokens/{token_id}")
async def show_token(token_id: str, viewer: ViewerPart) -> Response:
    """Show a token with its latest alerts, decisions and acts; also of one that was revoked."""
    client = viewer.client
    parts = await viewer.parts(
        found=_find(viewer, token_id),
        alerts=client.alerts.list(token=token_id, page_size=LATEST).page(),
        decisions=client.decisions.list(token=token_id, page_size=LATEST).page(),
        acts=client.audit.list(token=token_id, page_size=LATEST).page(),
    )
    is_unknown = isinstance(parts["found"].error, TokenNotFound) and not _has_left_traces(parts)
    return viewer.page(
        "tokens/token.html.jinja",
        status=404 if is_unknown else 200,
        token_id=token_id,
        name=_name_of(parts) or token_id,
        **parts,
        is_own=token_id == viewer.session.token_id,
        meanings=SCOPES,
        role_of=role_of,
        overlaps=OVERLAPS,
    )


@router.post("/tokens/{token_id}/rotate")
async def rotate_token(token_id: str, viewer: ViewerPart) -> Response:
    """Give a token another secret, and answer with it: it is in no address, and shown once."""
    rotated = await viewer.client.tokens.rotate(token_id, overlap_s=whole_number(viewer.form, "overlap_s"))
    is_own = token_id == viewer.session.token_id
    return viewer.page("tokens/made.html.jinja", token=rotated, is_new=False, is_own=is_own)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token(token_id: str, viewer: ViewerPart) -> Response:
    """Revoke a token; the own one only if the person says that they know."""
    if token_id == viewer.session.token_id and not viewer.form.get("is_own"):
        raise OwnTokenUnconfirmed(NOT_OWN)
    await viewer.client.tokens.revoke(token_id)
    return viewer.back("/tokens", "The token is revoked: services refuse it within two seconds.")


def _form(viewer: Viewer, refused: InvalidInput | PersonalDataFound | None = None) -> Response:
    return viewer.page(
        "tokens/new.html.jinja",
        status=200 if refused is None else 422,
        refused=refused,
        given=viewer.form if viewer.request.method == "POST" else {},
        scopes=open_scopes(viewer.session),
        roles=open_roles(viewer.session),
        expiries=EXPIRIES,
    )


async def _find(viewer: Viewer, token_id: str) -> Token:
    """Return one of the tokens. Raises: TokenNotFound, if none has that id."""
    async for token in viewer.client.tokens.list(page_size=1000):
        if token.id == token_id:
            return token
    raise TokenNotFound("No token has that id, or it was revoked.")


def _name_of(parts: Mapping[str, Any]) -> str | None:
    """Return the name of a token, or what its alerts and decisions call it: not everybody may see tokens."""
    token, alerts, decisions = (parts[name].value for name in ("found", "alerts", "decisions"))
    traces = [*(alerts.alerts if alerts else ()), *(decisions.decisions if decisions else ())]
    return token.name if token else next((one.token_name for one in traces if one.token_name), None)


def _has_left_traces(parts: Mapping[str, Any]) -> bool:
    alerts, decisions, acts = (parts[name].value for name in ("alerts", "decisions", "acts"))
    found = (alerts and alerts.alerts, decisions and decisions.decisions, acts and acts.lines)
    return any(found)
