"""The route that reveals the value behind a token."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.request_parsing import Sender
from vestibule.client_service.api.wiring import WiringPart
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, TokenRetired, UnknownToken
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["tokens"])

MAX_REASON_CHARS = 300


class RevealRequest(BaseModel):
    """A token, and the reason for revealing its value."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=2 * MAX_VALUE_BYTES, examples=["<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ…>"])
    reason: str = Field(
        min_length=1,
        max_length=MAX_REASON_CHARS,
        description="Is kept with the alert, so it may hold no personal data",
        examples=["ticket 4711: the customer asks for a call back"],
    )


class Revealed(BaseModel):
    """The value behind a token."""

    value: str = Field(examples=["jane@example.org"])
    alert_id: str = Field(description="The alert that records the caller and the reason")
    rotated: bool = Field(
        description="The key of the token was rotated since: it opens until that key is retired", examples=[False]
    )


@router.post(
    "/reveal",
    dependencies=[allow("reveal")],
    responses=problem_responses(UnknownToken, TokenRetired, InvalidInput, PersonalDataFound),
)
async def reveal_token(request: Annotated[RevealRequest, Body()], sender: Sender, wiring: WiringPart) -> Revealed:
    """Return the value that a token stands for. Each use raises an alert with its reason."""
    value, alert = await wiring.detokenizer.reveal(request.token, request.reason, sender)
    return Revealed(value=value, alert_id=alert.id, rotated=wiring.detokenizer.is_rotated(request.token))
