"""Renders templates into pages, with the headers that keep everything of another origin out."""

import secrets
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from vestibule.console.session.sessions import Sessions, UserSession
from vestibule.console.views import findings, formatting, history, rates, timeline
from vestibule.console.web.assets import Assets

_NONCE_BYTES = 16
NOTICE_COOKIE = "vestibule_notice"
NOTICE_SHOWN_S = 30
# The areas of the console, in the order of the navigation: address, name, and one of the scopes that they need.
AREAS = (
    ("/", "Overview", ()),
    ("/requests", "Requests", ("decisions",)),
    ("/findings", "Findings", ("decisions",)),
    ("/alerts", "Alerts", ("alerts",)),
    ("/tasks", "Tasks", ("run", "queue")),
    ("/store", "Store", ("keys",)),
    ("/policy", "Policy", ("policy", "allowances")),
    ("/subjects", "Subjects", ("find", "erase", "records")),
    ("/tokens", "Tokens", ("tokens", "audit")),
    ("/receipts", "Receipts", ()),
    ("/availability", "Availability", ("status",)),
)


class Pages:
    """The templates of the console, and how each answer is protected."""

    def __init__(self, assets: Assets, sessions: Sessions) -> None:
        """Load the templates."""
        environment = Environment(
            loader=FileSystemLoader(str(files("vestibule.console") / "templates")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        modules = (formatting, findings, history, rates, timeline)
        environment.filters |= {name: use for module in modules for name, use in module.FILTERS.items()}
        environment.globals |= {"asset": assets.address, "areas": AREAS}
        self._environment = environment
        self._sessions = sessions

    def render(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        *,
        session: UserSession | None = None,
        status: int = 200,
    ) -> HTMLResponse:
        """Return a page, or a part of one where htmx asks for it."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        notice = read_notice(request)
        content = self._environment.get_template(template).render(
            **context,
            notice=notice,
            nonce=nonce,
            session=session,
            csrf="" if session is None else self._sessions.csrf_token(session),
            path=request.url.path,
            query=request.url.query,
        )
        response = HTMLResponse(content, status, headers=page_headers(nonce))
        if notice is not None:
            response.delete_cookie(NOTICE_COOKIE)
        return response

    def text(self, template: str, context: Mapping[str, Any]) -> str:
        """Return a part of a page without a response, for a stream of events; it cannot have any htmx attribute."""
        return self._environment.get_template(template).render(**context, nonce="", session=None, csrf="")


def is_for_part(request: Request) -> bool:
    """Say whether htmx asks for a part of a page."""
    return request.headers.get("hx-request") == "true"


def read_notice(request: Request) -> str | None:
    """Return what the action before says on this page, once."""
    try:
        return bytes.fromhex(request.cookies.get(NOTICE_COOKIE, "")).decode() or None
    except ValueError:
        return None


def set_notice(response: Response, said: str) -> None:
    """Let the next page say that something was done. It has nothing of any data."""
    response.set_cookie(NOTICE_COOKIE, said.encode().hex(), max_age=NOTICE_SHOWN_S, httponly=True, samesite="lax")


def page_headers(nonce: str) -> dict[str, str]:
    """Return the headers of a page: it runs the scripts of this package alone, and no other page shows it."""
    policy = (
        "default-src 'none'; "
        f"script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx"
    )
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # With `no-referrer` a browser would hide the origin of a form, which every action has to show.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "HX-Request",
    }
