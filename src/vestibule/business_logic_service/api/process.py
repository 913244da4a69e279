"""The route of processing: text in, processed text out."""

from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request

from vestibule.business_logic_service.processor_pool import ProcessorPool
from vestibule.contracts.errors import InvalidInput, NotProcessable, UnknownProcessor
from vestibule.contracts.tasks import ProcessRequest, ProcessResponse, WorkOrigin
from vestibule.processing import Job
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, allow
from vestibule.service_kit.auth.service_secret import SERVICE
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import ServiceWiring, wired

router = APIRouter(route_class=GuardedRoute, tags=["processing"])


@dataclass(frozen=True, slots=True)
class BusinessLogicWiring(ServiceWiring):
    """The parts of the service that its routes call; `main.py` builds it."""

    pool: ProcessorPool


WiringPart = Annotated[BusinessLogicWiring, Depends(wired(BusinessLogicWiring))]


@router.post(
    "/process",
    dependencies=[allow("process")],
    responses=problem_responses(413, InvalidInput, UnknownProcessor, NotProcessable, 503),
)
async def process_data(work: ProcessRequest, request: Request, wiring: WiringPart) -> ProcessResponse:
    """Process data synchronously with one of the processors that the workers use."""
    caller: Caller = request.state.caller
    origin = work.origin
    # Only a service may name another origin than its own.
    if origin is None or caller.token_id != SERVICE:
        origin = WorkOrigin(route="/process", tenant=caller.tenant, token_id=caller.token_id, token_name=caller.name)
    job = Job(work.work_id or str(uuid4()), origin)
    return ProcessResponse(processed_data=await wiring.pool.process(work, job))
