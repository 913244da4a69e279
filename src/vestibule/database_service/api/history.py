"""The routes of changes over time: the history of an entry, and the stream of changes under a prefix."""

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import StreamingResponse

from vestibule.contracts.entries import EVENT_STREAM, History
from vestibule.database_service.api.dependencies import (
    KeyParameter,
    Prefix,
    TenantViewPart,
)
from vestibule.database_service.api.wiring import WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["entries"])


@router.get(
    "/history",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def get_entry_history(key: KeyParameter, view: TenantViewPart) -> History:
    """Return the versions of an entry, the newest first."""
    return await view.get_history(key)


@router.get(
    "/watch",
    dependencies=[allow("read")],
    responses=problem_responses(422, 503),
    response_class=StreamingResponse,
)
async def watch_entries(
    wiring: WiringPart,
    view: TenantViewPart,
    prefix: Prefix = "",
    last_event_id: Annotated[str | None, Header(max_length=512, description="The last event received")] = None,
) -> StreamingResponse:
    """Stream the changes of entries as server-sent events, from now on or from after the last event received."""
    return StreamingResponse(await wiring.change_stream.watch(view, prefix, last_event_id), media_type=EVENT_STREAM)
