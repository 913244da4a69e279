"""The route that erases a subject."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, WiringPart
from vestibule.client_service.erasure import ErasedReply
from vestibule.contracts.errors import TooManyWaiting
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["subjects"])


class Subject(BaseModel):
    """A value to erase everywhere, such as a person's e-mail address."""

    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=4, max_length=1000, examples=["jane@example.org"])


@router.delete("/subjects", dependencies=[allow("erase")], responses=problem_responses(422, TooManyWaiting, 503))
async def erase_subject(subject: Annotated[Subject, Body()], wiring: WiringPart, caller: CallerPart) -> ErasedReply:
    """Erase every stored value, token and result of your tenant that contains the value, and return the counts."""
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        return await wiring.erasure.erase(subject.value, caller.principal)
