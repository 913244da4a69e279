"""The route of LiteLLM's generic guardrail."""

import re
from typing import Annotated

from fastapi import APIRouter, Body, Request

from vestibule.client_service.api.compat.credentials import key_credentials
from vestibule.client_service.api.wiring import Sender, WiringPart
from vestibule.client_service.compat.litellm.payload import GuardrailReply, GuardrailRequest
from vestibule.contracts.errors import InvalidInput, TooManyWaiting
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.auth.authentication import Credentials, GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class GuardrailRoute(GuardedRoute):
    """A guarded route that takes the token of `x-api-key` too."""

    def credentials(self, request: Request) -> Credentials | None:
        """Return the token of `x-api-key`, if there is one."""
        return key_credentials(request)


router = APIRouter(route_class=GuardrailRoute, tags=["guardrail"])


@router.post(
    "/beta/litellm_basic_guardrail_api",
    dependencies=[allow("guardrail")],
    responses=problem_responses(413, InvalidInput, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
async def check_model_call(
    body: Annotated[GuardrailRequest, Body()], request: Request, wiring: WiringPart, sender: Sender
) -> GuardrailReply:
    """Screen what goes to a language model, or comes from it, as LiteLLM's generic guardrail API asks for it.

    Send the token as a bearer token or in `x-api-key`. The policy decides, as on every way in: `block` answers
    `BLOCKED`, what changes texts `GUARDRAIL_INTERVENED`, `alert` and `ignore` `NONE`. Nothing is stored.
    """
    call_id = body.litellm_call_id
    if call_id is not None and _WELL_FORMED_ID.fullmatch(call_id) and wiring.screener.is_clean(call_id):
        # What goes to the model and what comes from it are two requests: with the id of the call they are one timeline.
        request.scope["state"]["request_id"] = call_id
        bind_log_fields(request_id=call_id)
    return await wiring.guardrail.apply(body, sender)
