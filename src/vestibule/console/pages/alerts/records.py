"""Single alerts: a list with every filter, and one with its group."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.alerts import AlertPage
from vestibule.console.pages.alerts.filters import CHOICES, PAGE_SIZE, Text
from vestibule.console.views.moments import as_entered, time_of
from vestibule.console.web.viewer import ConsoleRoute, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/alerts/list")
async def show_alerts(
    *,
    viewer: ViewerPart,
    q: Text = "",
    state: Text = "",
    type: Text = "",
    severity: Text = "",
    entity: Text = "",
    token: Text = "",
    group: Text = "",
    since: Text = "",
    until: Text = "",
    cursor: Text = "",
) -> Response:
    """Show the alerts that meet all filters, newest first."""
    texts = {"q": q.strip(), "state": state, "type": type, "severity": severity, "entity": entity, "token": token}
    filters = {**texts, "group": group, "since": as_entered(since), "until": as_entered(until)}

    async def find() -> AlertPage:
        given: dict[str, Any] = {name: value or None for name, value in {**texts, "group": group}.items()}
        times: dict[str, Any] = {"since": time_of(since, "since"), "until": time_of(until, "until")}
        pages = viewer.client.alerts.list(**given, **times, page_size=PAGE_SIZE, cursor=cursor or None)
        return await pages.page()

    parts = await viewer.parts(alerts=find())
    return viewer.page("alerts/list.html.jinja", **parts, **CHOICES, filters=filters)


@router.get("/alerts/{alert_id}")
async def show_alert(alert_id: str, viewer: ViewerPart) -> Response:
    """Show an alert with its group."""
    return viewer.page("alerts/alert.html.jinja", alert=await viewer.client.alerts.get(alert_id), **CHOICES)
