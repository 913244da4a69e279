"""The API reference: Swagger UI with the description of the service, served from this package.

A browser loads nothing from other servers, so the page works behind a firewall, and no other server learns of it.
"""

import gzip
import hashlib
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from vestibule.contracts.errors import NotFound

# The routes read files, so they are plain functions, which the framework calls in a thread.
router = APIRouter(include_in_schema=False)

_FOLDER = Path(__file__).parent
_VENDORED, _OWN = _FOLDER / "swagger_ui", _FOLDER / "page_files"
# What the page loads; everything else in the folders is not served.
_FILES: Final = {
    "swagger-ui-bundle.js": (_VENDORED, "text/javascript"),
    "swagger-ui.css": (_VENDORED, "text/css"),
    "docs.js": (_OWN, "text/javascript"),
    "docs.css": (_OWN, "text/css"),
}
# Swagger UI sets styles through the DOM, which `style-src 'self'` allows; its style sheets embed images as data.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_A_YEAR = "public, max-age=31536000, immutable"


@router.get("/openapi.json")
def get_openapi_description(request: Request) -> Response:
    """Return the OpenAPI description of the service. Needs no token."""
    return _compressed(request, orjson.dumps(request.app.openapi()), "application/json", "no-cache")


@router.get("/docs")
def get_docs(request: Request) -> HTMLResponse:
    """Return the page about the API. Needs no token."""
    page = _page().substitute(title=escape(request.app.title), revision=_revision())
    return HTMLResponse(page, headers=_PAGE_HEADERS)


@router.get("/docs/{name}")
def get_docs_file(request: Request, name: str, v: Annotated[str, Query()] = "") -> Response:
    """Return a file that the page loads. Needs no token."""
    if name not in _FILES:
        raise NotFound("The page about the API has no file of that name.")
    folder, media_type = _FILES[name]
    # During an upgrade another instance may serve the page of another version; its files are not cached.
    caching = _A_YEAR if v == _revision() else "no-cache"
    return _compressed(request, (folder / name).read_bytes(), media_type, caching)


def _compressed(request: Request, content: bytes, media_type: str, caching: str) -> Response:
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = gzip.compress(content, compresslevel=6)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=media_type, headers=headers)


@cache
def _page() -> Template:
    return Template((_OWN / "docs.html").read_text())


@cache
def _revision() -> str:
    """Return a name for the contents of the files, which changes with each of them."""
    digest = hashlib.sha256()
    for name, (folder, _type) in _FILES.items():
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
