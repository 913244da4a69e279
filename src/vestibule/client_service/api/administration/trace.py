"""The route that tells what happened to a request, task, decision, alert or job."""

from typing import Annotated

from fastapi import APIRouter, Path

from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.client_service.trace.events import Trace
from vestibule.contracts.errors import TraceNotFound
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["trace"], dependencies=[allow("trace")])

TraceId = Annotated[
    str,
    Path(
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="The id of a request, task, decision, alert, erasure or bulk job",
        examples=["9638cc59bda34a3ca9d5f4bd55eeedb0"],
    ),
]


@router.get("/trace/{trace_id}", responses=problem_responses(TraceNotFound, 422, 503), response_model_exclude_none=True)
async def get_trace(trace_id: TraceId, wiring: WiringPart, caller: CallerPart, visibility: VisibilityPart) -> Trace:
    """Return all that happened to a request, task, decision, alert or job of your tenant, the oldest event first.

    With the scope `operator` it may be of any tenant. A request without findings and without a task leaves no record.
    Decisions arrive within two seconds. `incomplete` names parts that did not answer, whose events may be missing.
    """
    return await wiring.trace_service.trace(trace_id, caller.tenant, visibility)
