"""Subjects: find a person's data, preview an erasure, erase, and keep the receipt."""

from fastapi import APIRouter
from starlette.responses import Response

from vestibule.console.web.downloads import download
from vestibule.console.web.viewer import ConsoleRoute, ViewerPart
from vestibule.contracts.errors import ErasureNotFound

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)

# What holds a value, in the order of a page, with its name and whether it is one or several.
PLACES = {
    "entry": "Stored values",
    "version": "Earlier versions",
    "key": "Keys",
    "ended_key": "Keys of deleted entries",
    "task_data": "Data of tasks",
    "task_result": "Results of tasks",
    "schedule": "Schedules",
    "callback": "Callbacks",
    "reply": "Replies that are kept for repetitions",
    "conversation": "Conversations with language models",
    "reason": "Reasons that people gave",
    "find": "Other searches",
}


@router.get("/subjects")
async def show_forms(viewer: ViewerPart) -> Response:
    """Show the forms that find a value and preview its erasure."""
    return viewer.page("subjects/find.html.jinja")


@router.post("/subjects/find")
async def find(viewer: ViewerPart) -> Response:
    """Search for a value, and go to where its places will be."""
    search = await viewer.client.subjects.find(viewer.field("value"), reason=viewer.field("reason"))
    return viewer.back(f"/subjects/finds/{search.find_id}")


@router.post("/subjects/preview")
async def preview(viewer: ViewerPart) -> Response:
    """Search for what an erasure would erase, and change nothing."""
    search = await viewer.client.subjects.try_erasure(viewer.field("value"), reason=viewer.field("reason"))
    return viewer.back(f"/subjects/finds/{search.find_id}")


@router.post("/subjects/erase")
async def erase(viewer: ViewerPart) -> Response:
    """Erase a value everywhere."""
    erasure = await viewer.client.subjects.erase(viewer.field("value"), reason=viewer.field("reason"))
    return viewer.back(f"/subjects/erasures/{erasure.erasure_id}")


@router.get("/subjects/finds/{find_id}")
async def show_find(find_id: str, viewer: ViewerPart) -> Response:
    """Show how far a search is, and at its end the places."""
    search = await viewer.client.subjects.get_find(find_id)
    template = "subjects/places_part.html.jinja" if viewer.is_partial else "subjects/places.html.jinja"
    return viewer.page(template, search=search, kinds=PLACES)


@router.get("/subjects/erasures/{erasure_id}")
async def show_erasure(erasure_id: str, viewer: ViewerPart) -> Response:
    """Show how far an erasure is, and at its end the receipt."""
    erasure = await viewer.client.subjects.get_erasure(erasure_id)
    template = "subjects/erasure_part.html.jinja" if viewer.is_partial else "subjects/erasure.html.jinja"
    return viewer.page(template, erasure=erasure, kinds=PLACES)


@router.get("/subjects/erasures/{erasure_id}/receipt")
async def download_receipt(erasure_id: str, viewer: ViewerPart) -> Response:
    """Answer with the receipt of an erasure as a file."""
    erasure = await viewer.client.subjects.get_erasure(erasure_id)
    if erasure.receipt is None:
        raise ErasureNotFound("The erasure has no receipt yet: it has not ended.")
    return download(f"erasure-{erasure.erasure_id}.jws", erasure.receipt, "application/jose")


@router.get("/subjects/record")
async def show_record(viewer: ViewerPart) -> Response:
    """Show the record of processing activities."""
    parts = await viewer.parts(record=viewer.client.subjects.processing_record())
    return viewer.page("subjects/record.html.jinja", **parts)


@router.get("/subjects/record/download")
async def download_record(viewer: ViewerPart) -> Response:
    """Answer with the record of processing activities as a Markdown file."""
    text = await viewer.client.subjects.processing_record_as_markdown()
    return download("record-of-processing.md", text, "text/markdown; charset=utf-8")
