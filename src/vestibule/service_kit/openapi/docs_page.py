"""The page about an API: drawn here as a whole, with nothing to load from anywhere, and without need of a script.

The framework's own page loads its script and style from servers of others: behind a firewall it stays empty, and
elsewhere those servers can read along.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from vestibule.service_kit.openapi.docs_view import DocsView, view_docs
from vestibule.service_kit.wiring import frame_of

if TYPE_CHECKING:
    from jinja2 import Template

router = APIRouter()

_HERE = "[[HERE]]"
_ADDRESS = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:\d+)?")


@dataclass(frozen=True, slots=True)
class DocsPage:
    """Draws the page, and says what a browser may do with it."""

    template: "Template"
    css: str

    @classmethod
    def read(cls) -> "DocsPage":
        """Return the page from the files beside this one."""
        # Takes 2 MB, and most services are never asked for their page.
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

        folder = files(__package__) / "docs_files"
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters |= {"prose": prose, "words": words}
        template = environment.from_string((folder / "docs.html.jinja").read_text())
        return cls(template, (folder / "docs.css").read_text())

    @property
    def policy(self) -> str:
        """The content security policy: the one style of this page, and nothing else."""
        digest = base64.b64encode(hashlib.sha256(self.css.encode()).digest()).decode("ascii")
        allowed = f"style-src 'sha256-{digest}'; img-src data:"
        return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    def draw(self, view: DocsView) -> str:
        """Return the page as HTML, with a mark where the address of the service belongs."""
        return self.template.render(view=view, url=_HERE, css=Markup(self.css))  # noqa: S704 - our own file


@router.get("/docs", include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """Show what the service can do. Needs no token."""
    page = _page()
    # Rendering takes some 50 ms, which block all other requests, and the route needs no token.
    frame = frame_of(request.app)
    if not frame.docs_page:
        frame.docs_page = page.draw(view_docs(request.app.openapi()))
    html = frame.docs_page.replace(_HERE, _address(request))
    headers = {"Content-Security-Policy": page.policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
    return HTMLResponse(html, headers=headers)


def _address(request: Request) -> str:
    # People copy it into a shell, so it may hold nothing that a shell could take for more than a word.
    given = str(request.base_url).rstrip("/")
    return given if _ADDRESS.fullmatch(given) else "http://localhost:8000"


@cache
def _page() -> DocsPage:
    return DocsPage.read()


def words(text: str) -> Markup:
    """Return a line of text as HTML, with `code` as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def prose(text: str) -> Markup:
    """Return paragraphs of text as HTML."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return Markup("\n").join(Markup("<p>{}</p>").format(words(paragraph)) for paragraph in paragraphs)
