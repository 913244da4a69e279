"""The route for erasing a subject."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.subjects.erasure import Erasure
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute, tags=["subjects"])


class Subject(BaseModel):
    """A value of which nothing may remain, such as somebody's e-mail address."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=4, max_length=1000, examples=["jane@example.org"])


class ErasedReply(BaseModel):
    """How much was searched, and how much of it is gone."""

    entries_examined: int
    entries_erased: int
    results_examined: int
    results_erased: int


async def _erasure(request: Request) -> Erasure:
    caller: Caller = request.state.caller
    return wiring_of(request, ClientWiring).erasure_for(caller.principal)


@router.delete("/subjects", dependencies=[allow("erase")], responses=problem_responses(422, 503))
async def erase(subject: Annotated[Subject, Body()], erasure: Annotated[Erasure, Depends(_erasure)]) -> ErasedReply:
    """Erase every stored value of your tenant, token and result that holds the value, and say how many."""
    return ErasedReply.model_validate(await erasure.erase(subject.value), from_attributes=True)
