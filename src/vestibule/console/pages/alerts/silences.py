"""Silences: in force and ended; add one, change its end, end it."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.console.pages.alerts.filters import CHOICES, Text
from vestibule.console.views.formatting import segment
from vestibule.console.views.moments import hours_of
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/alerts/silences")
async def show_silences(viewer: ViewerPart, type: Text = "", token: Text = "", entity: Text = "") -> Response:
    """Show the silences in force and those that have ended; the query fills in the form for a new one."""
    parts = await viewer.parts(silences=viewer.client.silences.list(ended=True))
    now = datetime.now(UTC)
    found = parts["silences"].value or ()
    return viewer.page(
        "alerts/silences.html.jinja",
        **parts,
        **CHOICES,
        in_force=[one for one in found if one.end > now],
        ended=[one for one in found if one.end <= now],
        given={"type": type, "token": token, "entity": entity},
    )


@router.post("/alerts/silences")
async def add_silence(viewer: ViewerPart) -> Response:
    """Hold back the notifications of matching alerts for a time."""
    form = viewer.form
    matching = {name: form.get(name) for name in ("type", "token_id", "entity")}
    await viewer.client.silences.add(
        **matching,
        all="all" in form and not any(matching.values()),
        reason=viewer.field("reason"),
        hours=hours_of(viewer.field("hours")),
    )
    return _back(viewer, "Silenced: notifications are held back until the silence ends. Alerts are still recorded.")


@router.post("/alerts/silences/{silence_id}/end")
async def end_silence(silence_id: str, viewer: ViewerPart) -> Response:
    """End a silence now."""
    await viewer.client.silences.end(silence_id)
    return _back(viewer, "The silence has ended; what it held back is sent now.")


@router.post("/alerts/silences/{silence_id}/change")
async def change_silence(silence_id: str, viewer: ViewerPart) -> Response:
    """Let a silence end so many hours from now."""
    hours = hours_of(viewer.field("hours"))
    await viewer.client.silences.change(silence_id, hours=hours, reason=viewer.form.get("reason"))
    return _back(viewer, "The silence has a new end.")


def _back(viewer: Viewer, said: str) -> Response:
    group_id = viewer.form.get("group")
    return viewer.back(f"/alerts/groups/{segment(group_id)}" if group_id else "/alerts/silences", said)
