"""One task: why it waits, what became of its attempts, its result, and what a person does about it."""

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.client.results.tasks import Task
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import ResultExpired, TaskConflict

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

# How often the page of an unfinished task asks, in seconds; one that starts much later asks less often.
OFTEN_S, RARELY_S = 2, 15
DONE = {
    "retry": "Retried: it starts again in a second.",
    "cancel": "Cancelled: what a worker makes of it meanwhile does not count.",
    "drop": "Dropped: its data is gone, and it counts as failed.",
}


@router.get("/tasks/{task_id}")
async def show_task(task_id: str, viewer: ViewerPart) -> Response:
    """Show a task without its result."""
    try:
        task = await viewer.client.tasks.get(task_id)
    except ResultExpired:
        return viewer.page("tasks/expired.html.jinja", task_id=task_id)
    return _page(viewer, task)


@router.post("/tasks/{task_id}/result")
async def show_result(task_id: str, viewer: ViewerPart) -> Response:
    """Show a task with its result, which no address and no cache keeps."""
    return _page(viewer, await viewer.client.tasks.get(task_id), is_revealed=True)


@router.post("/tasks/{task_id}/{action}")
async def change_task(task_id: str, action: str, viewer: ViewerPart) -> Response:
    """Retry, cancel or drop a task. What its state does not allow is said on its page."""
    client = viewer.client
    calls = {"retry": client.tasks.retry, "cancel": client.tasks.cancel, "drop": client.dead_tasks.drop}
    address = f"/tasks/{task_id}"
    if action not in calls:
        return viewer.back(address)
    try:
        await calls[action](task_id)
    except TaskConflict as error:
        return _page(viewer, await client.tasks.get(task_id), conflict=error, refused=action, status=409)
    return viewer.back(address, DONE[action])


def _page(
    viewer: Viewer,
    task: Task,
    *,
    is_revealed: bool = False,
    conflict: TaskConflict | None = None,
    refused: str = "",
    status: int = 200,
) -> Response:
    is_far = task.waiting is not None and task.waiting.reason in {"due_later", "paused"}
    return viewer.page(
        "tasks/task.html.jinja",
        status=status,
        task=task,
        is_revealed=is_revealed,
        conflict=conflict,
        refused=refused,
        refresh_s=0 if task.has_ended else RARELY_S if is_far else OFTEN_S,
    )
