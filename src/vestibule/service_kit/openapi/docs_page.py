"""The page about an API: drawn here as a whole, with nothing to load from anywhere, and without need of a script.

The framework's own page loads its script and style from servers of others: behind a firewall it stays empty, and
elsewhere those servers can read along.
"""

import re
from functools import cache

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from vestibule.service_kit.openapi.docs_view import view_docs
from vestibule.service_kit.openapi.html_page import HtmlPage
from vestibule.service_kit.wiring import frame_of

router = APIRouter()

_HERE = "[[HERE]]"
_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d+)?")


@router.get("/docs", include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """Show what the service can do. Needs no token."""
    page = _page()
    # Rendering takes some 50 ms, which block all other requests, and the route needs no token.
    frame = frame_of(request.app)
    if not frame.docs_page:
        # With a mark where the address of the service belongs.
        frame.docs_page = page.render(view=view_docs(request.app.openapi()), url=_HERE)
    return page.respond(frame.docs_page.replace(_HERE, _address(request)))


def _address(request: Request) -> str:
    # People copy it into a shell, so it may hold nothing that a shell could take for more than a word.
    given = str(request.base_url).rstrip("/")
    return given if _ADDRESS.fullmatch(given) else "http://localhost:8000"


@cache
def _page() -> HtmlPage:
    return HtmlPage.read("docs")
