"""Workers and the queue: what runs, what waits, and what is paused."""

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.queue import Pause, PauseChange, QueueState
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, VestibuleError

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

# The part of the system whose note says for how long the oldest task has waited.
BACKLOG = "backlog"
PRIORITIES = ("high", "normal", "low")


@router.get("/workers")
async def show_workers(viewer: ViewerPart) -> Response:
    """Show the workers with what they run, what waits in the queue, and what is paused."""
    return await _page(viewer)


@router.post("/workers/pause")
async def pause(viewer: ViewerPart) -> Response:
    """Keep further tasks of a processor, or of all, from starting."""
    processor = viewer.form.get("processor")
    try:
        change = await viewer.client.queue.pause(processor=processor, reason=viewer.field("reason"))
    except (InvalidInput, PersonalDataFound) as error:
        return await _page(viewer, error)
    said = "The whole queue is paused" if processor is None else f"The processor {change.processor} is paused"
    return viewer.back("/workers", f"{said}. Tasks that run finish; no further one starts.{_later(change)}")


@router.post("/workers/resume")
async def resume(viewer: ViewerPart) -> Response:
    """End a pause."""
    processor = viewer.form.get("processor")
    try:
        change = await viewer.client.queue.resume(processor=processor, reason=viewer.field("reason"))
    except (InvalidInput, PersonalDataFound) as error:
        return await _page(viewer, error)
    said = "The whole queue goes on" if processor is None else f"The processor {change.processor} goes on"
    return viewer.back("/workers", f"{said}: what waited starts now.{_later(change)}")


async def _page(viewer: Viewer, refused: VestibuleError | None = None) -> Response:
    client = viewer.client
    parts = await viewer.parts(queue=client.queue.get(), workers=client.workers.list(), health=client.status.get())
    health = parts["health"].value
    return viewer.page(
        "workers/workers.html.jinja",
        **parts,
        backlog=next((part for part in health.parts if part.name == BACKLOG), None) if health else None,
        pauses=_pauses(parts["queue"].value),
        priorities=PRIORITIES,
        may_pause=viewer.may("operator") and viewer.may("queue"),
        refused=refused,
        form={} if refused is None else viewer.form,
        status=200 if refused is None else refused.status or 422,
    )


def _later(change: PauseChange) -> str:
    return "" if change.is_with_workers else " Redis does not answer: workers follow as soon as it does."


def _pauses(queue: QueueState | None) -> list[tuple[str, Pause]]:
    """Return the pauses in force, each with the name of its processor; that of the whole queue is first, without."""
    if queue is None:
        return []
    whole = [] if queue.pause is None else [("", queue.pause)]
    return whole + [(one.name, one.pause) for one in queue.processors if one.pause is not None]
