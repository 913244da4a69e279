"""The status page, one HTML document that loads nothing and works without scripts, and badges for other pages."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from xml.sax.saxutils import escape

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from vestibule.scheduler_service.status_page.page_view import (
    HEARTBEAT_TONES,
    INCIDENT_LOOKS,
    PART_LOOKS,
    TONE_COLOURS,
    PageView,
    clock_time,
    duration,
    moment,
    owner_of,
    percent,
    title_of,
    window_phase,
)
from vestibule.scheduler_service.status_page.status import PartStatus

REFRESH_S = 15
# A tick, an exclamation mark, a cross, a dash: the state without colours.
SIGNS = {
    "up": "M7 12.5l3.4 3.4L17 9",
    "degraded": "M12 6.5v7M12 17.2v.1",
    "down": "M8.2 8.2l7.6 7.6M15.8 8.2l-7.6 7.6",
    "planned": "M7 12h10",
    "calm": "M7 12h10",
}


PADDING = 12
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {value}">
<title>{label}: {value}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3d4554"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="{left_middle}" y="14" textLength="{left_text}">{label}</text>\
<text x="{right_middle}" y="14" textLength="{right_text}">{value}</text></g>
</svg>
"""


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Renders the page, with its content security policy."""

    template: Template
    css: str
    js: str
    probe_interval_s: float

    @classmethod
    def read(cls, probe_interval_s: float) -> "StatusPage":
        """Return the page from the files beside this one."""
        folder = files(__package__) / "page_files"
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters |= {
            "clock": clock_time,
            "duration": duration,
            "iso": datetime.isoformat,
            "moment": moment,
            "owner": owner_of,
            "phase": window_phase,
            "title": title_of,
        }
        environment.globals |= {"heartbeat_tones": HEARTBEAT_TONES, "incident_looks": INCIDENT_LOOKS}
        template = environment.from_string((folder / "status.html.jinja").read_text())
        return cls(template, (folder / "status.css").read_text(), (folder / "status.js").read_text(), probe_interval_s)

    @property
    def policy(self) -> str:
        """The content security policy: only the style sheet and the script of this page."""
        return (
            f"default-src 'none'; style-src '{_hash(self.css)}'; script-src '{_hash(self.js)}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def draw(self, page: PageView) -> str:
        """Return the page as HTML."""
        return self.template.render(
            page=page,
            interval_s=self.probe_interval_s,
            refresh_s=REFRESH_S,
            signs=SIGNS,
            # Files of this package, which must not be escaped.
            css=Markup(self.css),  # noqa: S704
            js=Markup(self.js),  # noqa: S704
        )


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
    return f"sha256-{digest}"


# Widths of characters in Verdana at 11 px, roughly: narrow, wide, and all others.
NARROW, WIDE = set("iljtfr.,:;|!' "), set("mwMW%")


def draw_badge(part: PartStatus) -> str:
    """Return the badge of a part as SVG: its state, and its availability over the last day."""
    tone, word = PART_LOOKS[part.state]
    if part.in_maintenance:
        tone, word = "planned", "maintenance"
    day = part.availability.day
    value = word if day is None else f"{word} {percent(day)}"
    label = part.name.replace("_", " ")
    left_text, right_text = _width(label), _width(value)
    left, right = left_text + PADDING, right_text + PADDING
    return TEMPLATE.format(
        width=left + right,
        left=left,
        right=right,
        left_middle=left / 2,
        right_middle=left + right / 2,
        left_text=left_text,
        right_text=right_text,
        colour="#9a6200" if tone == "degraded" else TONE_COLOURS[tone],
        label=escape(label),
        value=escape(value),
    )


def _width(text: str) -> int:
    return round(sum(4 if one in NARROW else 10 if one in WIDE else 7 for one in text))
