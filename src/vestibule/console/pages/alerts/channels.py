"""Channels: what each gets, how its notifications went, and a test."""

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.console.web.viewer import ConsoleRoute, ViewerPart

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/alerts/channels")
async def show_channels(viewer: ViewerPart) -> Response:
    """Show the channels that notifications go to."""
    parts = await viewer.parts(channels=viewer.client.channels.list())
    return viewer.page("alerts/channels.html.jinja", **parts, outcome=None)


@router.post("/alerts/channels/{name}/test")
async def test_channel(name: str, viewer: ViewerPart) -> Response:
    """Send a test notification, and show what the channel says of it: it is kept nowhere else."""
    outcome = await viewer.client.channels.test(name)
    if viewer.is_partial:
        return viewer.page("alerts/outcome.html.jinja", outcome=outcome)
    parts = await viewer.parts(channels=viewer.client.channels.list())
    return viewer.page("alerts/channels.html.jinja", **parts, outcome=outcome)
