"""Findings: what was found how often, by entity, action, day, route and token, and what to do about a value."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.decisions import Decision
from vestibule.console.views.findings import FoundValue, HeatTable, TokenSum, found_values, heat_table, token_sums
from vestibule.console.views.formatting import with_query
from vestibule.console.views.moments import day_after, day_of, days_before, hours_of, start_of, today
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import Refused

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

DAYS = 7
# The decisions that are looked at for values and tokens, the newest ones, and how many values are shown.
MOST_DECISIONS = 1000
PAGE_SIZE = 500
MOST_VALUES = 20
HOURS = (("1", "1 hour"), ("24", "1 day"), ("168", "7 days"), ("720", "30 days"))
Text = Annotated[str, Query()]


class FoundSums(NamedTuple):
    """What the newest decisions have: values and tokens, how many there were, and whether there are more."""

    values: list[FoundValue]
    tokens: list[TokenSum]
    examined: int
    has_more: bool


@router.get("/findings")
async def show_findings(
    *, viewer: ViewerPart, since: Text = "", until: Text = "", route: Text = "", entity: Text = ""
) -> Response:
    """Show what was found, by day; of one entity also which values by their fingerprints, and by which tokens."""
    filters = {"since": since, "until": until, "route": route, "entity": entity}
    parts = await viewer.parts(table=_table(viewer, filters), sums=_sums(viewer, filters))
    filters |= {"since": since or str(days_before(today(), DAYS - 1)), "until": until or str(today())}
    return viewer.page("findings/findings.html.jinja", **parts, filters=filters, hours=HOURS)


@router.post("/findings/allow")
async def allow_value(viewer: ViewerPart) -> Response:
    """Let a value pass that was found by mistake."""
    allowance = await viewer.client.allowances.add(
        reason=viewer.field("reason"),
        fingerprint=viewer.field("fingerprint"),
        entity=viewer.field("entity"),
        hours=hours_of(viewer.field("hours")),
        secret=viewer.form.get("secret") == "1",
    )
    members = {name: viewer.form.get(name) for name in ("since", "until", "route")}
    address = with_query("/findings", **members, entity=viewer.form.get("chosen"))
    return viewer.back(address, f"The value passes as {allowance.entity} until {allowance.end:%Y-%m-%d %H:%M} UTC.")


def _span(filters: Mapping[str, str]) -> tuple[date, date]:
    last = day_of(filters["until"], "until", today())
    first = day_of(filters["since"], "since", days_before(last, DAYS - 1))
    if first > last:
        raise Refused("The first day is after the last.")
    return first, last


async def _table(viewer: Viewer, filters: Mapping[str, str]) -> HeatTable:
    first, last = _span(filters)
    counts = await viewer.client.decisions.counts(since=start_of(first), until=start_of(last))
    return heat_table(counts.counts, first, last, filters["route"])


async def _sums(viewer: Viewer, filters: Mapping[str, str]) -> FoundSums:
    first, last = _span(filters)
    listed = viewer.client.decisions.list(
        since=start_of(first),
        until=start_of(day_after(last)),
        route=filters["route"] or None,
        entity=filters["entity"] or None,
        page_size=PAGE_SIZE,
    )
    found: list[Decision] = []
    has_more = False
    async for page in listed.pages():
        found += page.decisions
        has_more = page.cursor is not None
        if len(found) >= MOST_DECISIONS:
            break
    values = found_values(found, filters["entity"], MOST_VALUES)
    return FoundSums(values, token_sums(found), len(found), has_more)
