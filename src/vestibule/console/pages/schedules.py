"""Schedules: recurring tasks, when they run next, and what became of the last run."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.console.pages.tasks.filters import mistake, seconds_of
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import InvalidInput, KeyNotFound, PersonalDataFound, ScopeMissing, VestibuleError

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PRIORITIES = ("high", "normal", "low")
DONE = {
    "pause": "Paused: it does not fire until somebody resumes it.",
    "resume": "Resumed: what was due in between is not made up for.",
}


@router.get("/schedules")
async def show_schedules(viewer: ViewerPart) -> Response:
    """Show all schedules of the tenant, the oldest first, and a form for another."""
    return await _list(viewer)


@router.post("/schedules")
async def add_schedule(viewer: ViewerPart) -> Response:
    """Add a schedule; what is wrong with it is said above the form, which stays filled in."""
    form = viewer.form
    try:
        added = await viewer.client.schedules.add(
            key=viewer.field("key"),
            cron=form.get("cron"),
            every_s=_every(form.get("every"), form.get("cron")),
            timezone=form.get("timezone"),
            processor=form.get("processor"),
            priority=form.get("priority"),
            write_to=form.get("write_to"),
            options=_options(form.get("options")),
        )
    except (InvalidInput, PersonalDataFound, ScopeMissing) as error:
        return await _list(viewer, refused=error)
    return viewer.back(f"/schedules/{added.schedule_id}", "Added. The scheduler knows it within 5 s.")


@router.get("/schedules/{schedule_id}")
async def show_schedule(schedule_id: str, viewer: ViewerPart) -> Response:
    """Show a schedule with its next runs and the outcome of the last one."""
    return viewer.page("schedules/schedule.html.jinja", schedule=await viewer.client.schedules.get(schedule_id))


@router.post("/schedules/{schedule_id}/run")
async def run_schedule(schedule_id: str, viewer: ViewerPart) -> Response:
    """Run a schedule now, and go to the task."""
    try:
        accepted = await viewer.client.schedules.run(schedule_id)
    except KeyNotFound:
        return viewer.back(f"/schedules/{schedule_id}", "Not run: no entry is stored under its key.")
    return viewer.back(f"/tasks/{accepted.task_id}", "This is the task of the run that you asked for.")


@router.post("/schedules/{schedule_id}/delete")
async def delete_schedule(schedule_id: str, viewer: ViewerPart) -> Response:
    """Delete a schedule; its tasks go on."""
    await viewer.client.schedules.delete(schedule_id)
    return viewer.back("/schedules", "Deleted. Tasks that it has created continue.")


@router.post("/schedules/{schedule_id}/{action}")
async def change_schedule(schedule_id: str, action: str, viewer: ViewerPart) -> Response:
    """Pause or resume a schedule."""
    address = f"/schedules/{schedule_id}"
    if action not in DONE:
        return viewer.back(address)
    schedules = viewer.client.schedules
    await (schedules.pause(schedule_id) if action == "pause" else schedules.resume(schedule_id))
    return viewer.back(address, DONE[action])


async def _list(viewer: Viewer, refused: VestibuleError | None = None) -> Response:
    parts = await viewer.parts(schedules=viewer.client.schedules.list(), processors=viewer.client.processors.list())
    return viewer.page(
        "schedules/list.html.jinja",
        **parts,
        priorities=PRIORITIES,
        refused=refused,
        form=viewer.form if refused is not None else {},
        status=200 if refused is None else refused.status or 422,
    )


def _every(every: str | None, cron: str | None) -> float | None:
    if (every is None) == (cron is None):
        raise mistake("when", "fill in either the cron expression or the interval")
    return None if every is None else seconds_of("every", every)


def _options(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        options = json.loads(text, parse_constant=float)
        # Numbers that are none, and halves of characters, cannot be sent.
        json.dumps(options, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict):
        raise mistake("options", 'must be a JSON object such as {"field": "value"}')
    return options
