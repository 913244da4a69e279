"""What processors there are, for those who may ask for their work."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from vestibule.client_service.api.schemas import ProcessorExample, ProcessorList, ProcessorView
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.processing import AnyProcessor, ProcessorRegistry, examples_of, model_of
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute, tags=["tasks"])


async def _processors(request: Request) -> ProcessorRegistry:
    return wiring_of(request, ClientWiring).processors


@router.get("/processors", dependencies=[allow("run")], responses=problem_responses())
async def processors(known: Annotated[ProcessorRegistry, Depends(_processors)]) -> ProcessorList:
    """Return the processors with their options, as JSON Schema, and examples."""
    return ProcessorList(processors=[view_of(known.find(name)) for name in known.names])


def view_of(processor: AnyProcessor) -> ProcessorView:
    """Return what a caller is told of a processor."""
    model = model_of(processor)
    examples = [
        ProcessorExample(data=example.data, result=example.result, options=dict(example.options))
        for example in examples_of(processor)
    ]
    return ProcessorView(
        name=processor.name,
        description=processor.description,
        options=None if model is None else model.model_json_schema(),
        examples=examples,
    )
