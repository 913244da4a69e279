"""Badges: small images with the state of a part, to embed in other pages."""

from xml.sax.saxutils import escape

from vestibule.scheduler_service.status_page.formatting import percent
from vestibule.scheduler_service.status_page.page_view import PART_LOOKS, TONE_COLOURS
from vestibule.scheduler_service.status_page.status import PartStatus

# Widths of characters in Verdana at 11 px, roughly: narrow, wide, and all others.
NARROW, WIDE = set("iljtfr.,:;|!' "), set("mwMW%")
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
