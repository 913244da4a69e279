"""Actions on all tasks that match: a preview, a confirmation, and the progress of the job."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from vestibule.client.results.tasks import BulkPreview
from vestibule.console.pages.tasks.filters import ACTIONS, TaskFilters
from vestibule.console.web.viewer import ConsoleRoute, Viewer, ViewerPart
from vestibule.contracts.errors import (
    BulkActionInProgress,
    ConfirmationInvalid,
    InvalidInput,
    PersonalDataFound,
    VestibuleError,
)

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


class BulkQuery(TaskFilters):
    """The address of a preview: what to do with which tasks."""

    action: str = "retry"


@router.get("/tasks/bulk")
async def preview(viewer: ViewerPart, query: Annotated[BulkQuery, Query()]) -> Response:
    """Show how many tasks match, and ask for a confirmation; nothing is changed."""
    return await _page(viewer, query)


@router.post("/tasks/bulk")
async def start(viewer: ViewerPart) -> Response:
    """Start the job that the preview was for, and go to its progress."""
    query = BulkQuery.model_validate({name: viewer.form.get(name, "") for name in BulkQuery.model_fields})
    reason = viewer.form.get("reason")
    try:
        started = await viewer.client.bulk_jobs.start(
            query.action, confirm=viewer.field("confirm"), reason=reason, **query.chosen()
        )
    except (BulkActionInProgress, ConfirmationInvalid, InvalidInput, PersonalDataFound) as error:
        return await _page(viewer, query, refused=error)
    return viewer.back(f"/tasks/jobs/{started.job_id}")


@router.get("/tasks/jobs/{job_id}")
async def show_job(job_id: str, viewer: ViewerPart) -> Response:
    """Show how far a job is."""
    return viewer.page("tasks/job.html.jinja", job=await viewer.client.bulk_jobs.get(job_id))


async def _page(viewer: Viewer, query: BulkQuery, refused: VestibuleError | None = None) -> Response:
    parts = await viewer.parts(preview=_preview(viewer, query))
    return viewer.page(
        "tasks/bulk.html.jinja",
        **parts,
        filters=query,
        refused=refused,
        reason="" if refused is None else viewer.form.get("reason", ""),
        states=[state for state in ACTIONS.get(query.action, ()) if query.state in {"", state}],
        status=200 if refused is None else refused.status or 409,
    )


async def _preview(viewer: Viewer, query: BulkQuery) -> BulkPreview:
    return await viewer.client.bulk_jobs.preview(query.action, **query.chosen())
