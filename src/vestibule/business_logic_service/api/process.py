"""The route of processing: text in, processed text out."""

from fastapi import APIRouter, Request

from vestibule.business_logic_service import processing
from vestibule.business_logic_service.api.wiring import WiringPart
from vestibule.contracts.errors import InvalidInput, NotProcessable, UnknownProcessor
from vestibule.contracts.tasks import ProcessRequest, ProcessResponse
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["processing"])


@router.post(
    "/process",
    dependencies=[allow("process")],
    responses=problem_responses(413, InvalidInput, UnknownProcessor, NotProcessable, 503),
)
async def process_data(work: ProcessRequest, request: Request, wiring: WiringPart) -> ProcessResponse:
    """Process data synchronously with one of the processors that the workers use."""
    return ProcessResponse(processed_data=await processing.process(wiring.processors, work, request.state.caller))
