"""The routes of the business logic service."""

import asyncio
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Request

from vestibule.contracts.errors import InvalidInput, NotProcessable, Unavailable, UnknownProcessor
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.contracts.work import ProcessRequest, ProcessResponse, WorkOrigin
from vestibule.processing import MAY_PASS, CannotProcess, Job, ProcessorRegistry
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, allow
from vestibule.service_kit.auth.service_secret import SERVICE
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["processing"])


async def _processors(request: Request) -> ProcessorRegistry:
    processors: ProcessorRegistry = request.app.state.processors
    return processors


@router.post(
    "/process",
    dependencies=[allow("process")],
    responses=problem_responses(413, InvalidInput, UnknownProcessor, NotProcessable, 503),
)
async def process(
    work: ProcessRequest, request: Request, processors: Annotated[ProcessorRegistry, Depends(_processors)]
) -> ProcessResponse:
    """Return what a processor makes of the data, by the same processors as the workers use."""
    job = Job(work.work_id or str(uuid4()), _origin_of(work, request.state.caller))
    try:
        made = await asyncio.to_thread(processors.process, work.processor, work.data, work.options, job)
    except CannotProcess as error:
        kind = error.kind if error.kind in ERROR_DETAILS else "TaskFailed"
        raise NotProcessable(ERROR_DETAILS[kind], kind=kind) from error
    except MAY_PASS as error:
        raise Unavailable("processor", ERROR_DETAILS["TaskInterrupted"]) from error
    return ProcessResponse(processed_data=made)


def _origin_of(work: ProcessRequest, caller: Caller) -> WorkOrigin:
    if work.origin is not None and caller.token_id == SERVICE:
        return work.origin
    return WorkOrigin(route="/process", tenant=caller.tenant, token_id=caller.token_id, token_name=caller.name)
