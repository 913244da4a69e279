"""Availability: the history of each part, incidents, maintenance windows and heartbeats."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.scheduler import SystemStatus
from vestibule.console.pages.alerts.filters import Text
from vestibule.console.views.moments import hours_of, time_of
from vestibule.console.web.viewer import ConsoleRoute, PagePart, ViewerPart
from vestibule.contracts.errors import InvalidInput

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

SHOWN_INCIDENTS = 30
LASTING = (
    ("0.5", "30 minutes"),
    ("1", "1 hour"),
    ("2", "2 hours"),
    ("4", "4 hours"),
    ("8", "8 hours"),
    ("24", "1 day"),
)


@router.get("/availability")
async def show_availability(viewer: ViewerPart, over: Text = "day") -> Response:
    """Show how each part was over a day or a month, what happened, and what is planned."""
    span = "month" if over == "month" else "day"
    parts = await viewer.parts(system=viewer.client.status.get(history=span))
    system: PagePart[SystemStatus] = parts["system"]
    now = datetime.now(UTC)
    windows = system.value.maintenance if system.value else []
    return viewer.page(
        "availability/availability.html.jinja",
        **parts,
        over=span,
        now=now,
        windows=[one for one in windows if one.ends > now],
        past_windows=[one for one in windows if one.ends <= now],
        shown_incidents=SHOWN_INCIDENTS,
        subjects=_subjects(system.value),
        lasting=LASTING,
    )


@router.post("/availability/maintenance")
async def add_window(viewer: ViewerPart) -> Response:
    """Add a maintenance window."""
    begins = time_of(viewer.form.get("begins", ""), "from")
    hours = hours_of(viewer.field("hours"))
    if not 0 < hours < 24 * 366:
        raise InvalidInput("“hours” must be more than none and less than a year.")
    try:
        until = (begins or datetime.now(UTC)) + timedelta(hours=hours)
    except OverflowError:
        raise InvalidInput("The window would end after the year 9999.") from None
    await viewer.client.maintenance.add(
        viewer.field("part"), begins=begins, until=until, reason=viewer.form.get("reason", "")
    )
    return viewer.back("/availability", "The maintenance window is planned: what it covers raises no alert then.")


@router.post("/availability/maintenance/{window_id}/end")
async def end_window(window_id: str, viewer: ViewerPart) -> Response:
    """End a maintenance window now, or delete one that has not begun."""
    await viewer.client.maintenance.end(window_id)
    return viewer.back("/availability", "The maintenance window is over.")


@router.post("/availability/heartbeats/{name}/delete")
async def delete_heartbeat(name: str, viewer: ViewerPart) -> Response:
    """Stop expecting a heartbeat."""
    await viewer.client.heartbeats.delete(name)
    return viewer.back("/availability", "The heartbeat is not expected any more; its next ping would create it again.")


def _subjects(status: SystemStatus | None) -> list[tuple[str, str]]:
    """Return what a window can be about, as choices."""
    if status is None:
        return [("all", "everything")]
    parts = [(part.name, part.name.replace("_", " ")) for part in status.parts]
    return [
        ("all", "everything"),
        *parts,
        *((f"heartbeat:{one.name}", f"heartbeat {one.name}") for one in status.heartbeats),
    ]
