"""The route of messages: a text that is processed in the background or at once."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from vestibule.client_service.api.screening import DecisionReply
from vestibule.client_service.api.tasks import AcceptedTask
from vestibule.client_service.api.wiring import (
    CallerPart,
    RepeatableRoute,
    Sender,
    WiringPart,
    check_target,
    note_preference,
)
from vestibule.client_service.intake.work import Message
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    NotProcessable,
    PersonalDataFound,
    ResultRefused,
    ScanImpossible,
    TooManyWaiting,
    UnknownProcessor,
)
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.http.preferences import TAKES_PREFERENCE
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=RepeatableRoute, tags=["messages"])


class AcceptedMessage(DecisionReply, AcceptedTask):
    """A message that was accepted and is processed in the background."""


class ProcessedMessage(BaseModel):
    """The result of processing a message."""

    reply: str = Field(examples=["HELLO"])


class MessageReply(DecisionReply, ProcessedMessage):
    """The reply to a message, and the decision about it."""


@router.post(
    "/messages",
    dependencies=[allow("message")],
    openapi_extra=TAKES_PREFERENCE,
    response_model=MessageReply,
    response_model_exclude_none=True,
    responses={
        202: {"model": AcceptedMessage, "description": "Accepted"},
        **problem_responses(
            409,
            413,
            PersonalDataFound,
            InvalidInput,
            ScanImpossible,
            IdempotencyKeyReused,
            UnknownProcessor,
            NotProcessable,
            ResultRefused,
            TooManyWaiting,
            503,
        ),
    },
)
async def send_message(
    message: Annotated[Message, Body()], wiring: WiringPart, sender: Sender, caller: CallerPart, response: Response
) -> MessageReply | Response:
    """Screen a message and process it: in the background, or at once with `mode: sync`.

    Without `mode` the routes of the settings decide; without a matching route it is processed in the background.
    `write_to` needs the scope `add` too.
    """
    await check_target(message, wiring, caller)
    sent = await wiring.intake.process_message(message, sender)
    if sent.is_reply:
        note_preference(response, sender)
        return MessageReply(reply=sent.outcome, **sent.screened.decision)
    reply = AcceptedMessage(task_id=sent.outcome, status_url=f"/tasks/{sent.outcome}", **sent.screened.decision)
    accepted = JSONResponse(reply.model_dump(exclude_none=True), 202, {"Location": reply.status_url})
    note_preference(accepted, sender)
    return accepted
