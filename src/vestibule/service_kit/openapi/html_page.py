"""HTML pages that load nothing from elsewhere and need no script: a jinja template, a style, a strict policy."""

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = "page_files"


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """Renders a page, and says what a browser may do with it."""

    template: "Template"
    css: str

    @classmethod
    def read(cls, name: str) -> "HtmlPage":
        """Return the page `name` from the files beside this module; its style follows the one that all share."""
        # Takes 2 MB, and most services are never asked for a page.
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

        folder = files(__package__) / FOLDER
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters["words"] = words
        template = environment.from_string((folder / f"{name}.html.jinja").read_text())
        return cls(template, (folder / "base.css").read_text() + (folder / f"{name}.css").read_text())

    @property
    def policy(self) -> str:
        """The content security policy: the one style of this page, and nothing else."""
        digest = base64.b64encode(hashlib.sha256(self.css.encode()).digest()).decode("ascii")
        allowed = f"style-src 'sha256-{digest}'; img-src data:"
        return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    def render(self, **values: object) -> str:
        """Return the page as HTML."""
        return self.template.render(css=Markup(self.css), **values)  # noqa: S704 - our own file

    def respond(self, html: str) -> HTMLResponse:
        """Return the rendered page with the headers that restrict what a browser does with it."""
        headers = {
            "Content-Security-Policy": self.policy,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        return HTMLResponse(html, headers=headers)


def words(text: str) -> Markup:
    """Return a line of text as HTML, with `code` as such."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
