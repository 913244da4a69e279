"""The route that lists the processors."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from vestibule.client_service.api.wiring import WiringPart
from vestibule.processing import AnyProcessor, examples_of, model_of
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["processors"])


class ProcessorExample(BaseModel):
    """The result of a processor for a text."""

    data: str = Field(examples=["hello"])
    result: str = Field(examples=["HELLO"])
    options: dict[str, Any]


class ProcessorView(BaseModel):
    """A processor that requests can name as `processor`."""

    name: str = Field(examples=["uppercase"])
    description: str = Field(examples=["Converts the text to upper case."])
    options: dict[str, Any] | None = Field(description="The JSON Schema of its options; null where it takes none")
    examples: list[ProcessorExample]


class ProcessorList(BaseModel):
    """The processors by name."""

    processors: list[ProcessorView]


@router.get("/processors", dependencies=[allow("run")], responses=problem_responses())
async def list_processors(wiring: WiringPart) -> ProcessorList:
    """Return the processors with their options, as JSON Schema, and examples."""
    return ProcessorList(processors=[view_of(wiring.processors.find(name)) for name in wiring.processors.names])


def view_of(processor: AnyProcessor) -> ProcessorView:
    """Return the public description of a processor."""
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
