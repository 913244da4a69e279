"""The overview: how everything is, and what needs a person."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.alerts import AlertGroup, AlertGroupPage
from vestibule.client.results.decisions import DecisionRates
from vestibule.client.results.scheduler import MaintenanceWindow, SystemStatus
from vestibule.console.web.viewer import ConsoleRoute, PagePart, Viewer, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

MOST_OPEN = 100
SHOWN_GROUPS = 8
RANKS = {"critical": 0, "warning": 1, "info": 2}
RATE_MINUTES = 60
# A part that does not answer must not keep the others waiting, which are looked at again five seconds later.
PART_TIMEOUT_S = 3.0


@router.get("/")
async def show_overview(viewer: ViewerPart) -> Response:
    """Show how everything is: the parts, the requests, what is open and what waits."""
    found, rates = await asyncio.gather(_look(viewer), _rates(viewer))
    return viewer.page("overview/overview.html.jinja", **found, rates=rates)


@router.get("/overview/now")
async def show_now(viewer: ViewerPart) -> Response:
    """Return what changes on the overview; the page asks for it every five seconds."""
    return viewer.page("overview/now.html.jinja", **await _look(viewer))


@router.get("/overview/rates")
async def show_rates(viewer: ViewerPart) -> Response:
    """Return the curve of requests; the page asks for it every minute."""
    return viewer.page("parts/rates.html.jinja", rates=await _rates(viewer))


async def _rates(viewer: Viewer) -> PagePart[DecisionRates]:
    return await viewer.part(viewer.client.with_options(timeout_s=PART_TIMEOUT_S).decisions.rates(minutes=RATE_MINUTES))


async def _look(viewer: Viewer) -> dict[str, Any]:
    client = viewer.client.with_options(timeout_s=PART_TIMEOUT_S)
    parts = await viewer.parts(
        system=client.status.get(history="day"),
        groups=client.alert_groups.list(state="open", page_size=MOST_OPEN).page(),
        tasks=client.tasks.counts(),
        queue=client.queue.get(),
        policy=client.policy.get(page_size=1).page(),
    )
    groups: PagePart[AlertGroupPage] = parts["groups"]
    system: PagePart[SystemStatus] = parts["system"]
    return {
        **parts,
        "shown": sorted(groups.value.groups, key=_urgency)[:SHOWN_GROUPS] if groups.value else [],
        "window": next_window(system.value.maintenance) if system.value else None,
        "looked_at": datetime.now(UTC),
    }


def next_window(windows: list[MaintenanceWindow], now: datetime | None = None) -> MaintenanceWindow | None:
    """Return the window that is active, or else the one that begins next."""
    since = now or datetime.now(UTC)
    return min((one for one in windows if one.ends > since), key=lambda one: one.begins, default=None)


def _urgency(group: AlertGroup) -> tuple[int, float]:
    return RANKS.get(group.severity, len(RANKS)), -group.last.timestamp()
