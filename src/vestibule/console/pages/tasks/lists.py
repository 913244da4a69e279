"""The lists of tasks: those that meet filters, and the dead letters."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.tasks import TaskPage, TaskTotal, TaskTotals
from vestibule.console.pages.tasks.filters import CAUSES, STATES, TaskListQuery
from vestibule.console.web.viewer import ConsoleRoute, PagePart, Viewer, ViewerPart
from vestibule.contracts.errors import TaskConflict

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

PAGE_SIZE = 50


@router.get("/tasks")
async def show_tasks(viewer: ViewerPart, query: Annotated[TaskListQuery, Query()]) -> Response:
    """Show the tasks that meet all filters, newest first, and how many are in each state."""
    parts = await viewer.parts(
        tasks=_find(viewer, query), totals=viewer.client.tasks.counts(all_tenants=query.is_of_all)
    )
    totals: PagePart[TaskTotals] = parts["totals"]
    counts = [] if totals.value is None else totals.value.counts
    return viewer.page(
        "tasks/list.html.jinja",
        **parts,
        filters=query,
        states=STATES,
        causes=CAUSES,
        figures=_by_state(counts, query.processor),
        processors=sorted({count.processor for count in counts} | ({query.processor} - {""})),
    )


@router.get("/tasks/dead")
async def show_dead_letters(viewer: ViewerPart, cursor: Annotated[str, Query()] = "") -> Response:
    """Show the dead letters: tasks that failed their last attempt."""
    dead = viewer.client.dead_tasks.list(page_size=PAGE_SIZE, cursor=cursor or None)
    parts = await viewer.parts(tasks=dead.page(), totals=viewer.client.tasks.counts())
    return viewer.page("tasks/dead.html.jinja", **parts)


@router.post("/tasks/dead/{task_id}/{action}")
async def change_dead_letter(task_id: str, action: str, viewer: ViewerPart) -> Response:
    """Retry or drop a dead letter, and return to the list of them."""
    dead = viewer.client.dead_tasks
    try:
        await (dead.drop(task_id) if action == "drop" else dead.retry(task_id))
    except TaskConflict:
        return viewer.back("/tasks/dead", "Nothing was changed: the task is no longer a dead letter.")
    done = "Dropped: its data is gone, and it counts as failed." if action == "drop" else "Retried: it starts again."
    return viewer.back("/tasks/dead", f"{done} (task {task_id[:8]})")


async def _find(viewer: Viewer, query: TaskListQuery) -> TaskPage:
    # Within a part, so that a filter which is not valid leaves the form.
    listed = viewer.client.tasks.list(**query.chosen(), page_size=PAGE_SIZE, cursor=query.cursor or None)
    return await listed.page()


def _by_state(counts: Iterable[TaskTotal], processor: str) -> Counter[str]:
    """Return how many tasks are in each state, of one processor or of all."""
    found: Counter[str] = Counter()
    for count in counts:
        if processor in {"", count.processor}:
            found[count.state] += count.tasks
    return found
