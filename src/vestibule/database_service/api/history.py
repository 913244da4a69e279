"""The routes for what was: the history of an entry, and what happens to entries from a position on."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from vestibule.contracts.entries import EVENT_STREAM, History
from vestibule.contracts.errors import KeyNotFound
from vestibule.database_service.api.request_parsing import KeyParameter, Prefix, TenantViewPart
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["entries"])


@router.get(
    "/history",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def history(key: KeyParameter, space: TenantViewPart) -> History:
    """Return what is known of an entry, the newest first."""
    revisions = await space.history(key)
    if not revisions:
        raise KeyNotFound("No entry has that key, and it has no history.")
    return History(key=key, revisions=revisions)


@router.get(
    "/watch",
    dependencies=[allow("read")],
    responses=problem_responses(422, 503),
    response_class=StreamingResponse,
)
async def watch(
    request: Request,
    space: TenantViewPart,
    prefix: Prefix = "",
    last_event_id: Annotated[str | None, Header(max_length=512, description="The last event that was seen")] = None,
) -> StreamingResponse:
    """Tell what happens to entries, as server-sent events, from now or from after the last event that was seen."""
    desk: ChangeStream = request.app.state.change_stream
    return StreamingResponse(await desk.watch(space, prefix, last_event_id), media_type=EVENT_STREAM)
