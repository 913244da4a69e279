"""The routes of screening: scan a text, reveal the value of a token, verify receipts; and the view of a decision."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, Sender, WiringPart
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.entries import MAX_VALUE_BYTES, within_value_limit
from vestibule.contracts.errors import (
    InvalidInput,
    PersonalDataFound,
    ScanImpossible,
    TokenRetired,
    TooManyWaiting,
    UnknownToken,
)
from vestibule.contracts.json_types import Flag, either
from vestibule.contracts.reasons import GivenReason
from vestibule.policy import Action
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute)

MAX_SCAN_TEXTS = 1000


class FindingView(BaseModel):
    """A finding: the kind and the position. Never the text itself."""

    entity: str = Field(examples=["EMAIL_ADDRESS"])
    start: int = Field(description="First character, counted in Unicode code points", examples=[8])
    end: int = Field(description="The character after the last", examples=[25])
    score: float = Field(description="Confidence of the scanner, from 0 to 1", examples=[1.0])


class TreatedFinding(FindingView):
    """A finding that the policy accepted, and how."""

    field: str = Field(description="The part of the request that contains it", examples=["value"])
    action: Action = Field(description="The action that was taken", examples=["redact"])
    would_have: Action | None = Field(default=None, description="In a dry run: the action that would have been taken")


class DecisionReply(BaseModel):
    """The decision about a request that was accepted."""

    findings: list[TreatedFinding] = Field(description="What the policy accepted, changed or unchanged")
    would_have: Action | None = Field(
        default=None, description="In a dry run: the strictest action that would have been taken"
    )
    receipt: str = Field(
        description="The decision, signed: a compact JWS; `vestibule receipt verify` or any JOSE library checks it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


class ScanRequest(BaseModel):
    """One text, or up to a thousand."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "write to me@example.org"}], **either("text", "texts")},
    )

    text: Annotated[str, AfterValidator(within_value_limit)] | None = None
    texts: list[str] | None = Field(default=None, max_length=MAX_SCAN_TEXTS)
    explain: Flag = Field(default=False, description="Return the reasons of each finding")


class Reasons(BaseModel):
    """The reasons of a finding: rule, check and context. Never the value."""

    rule: str = Field(examples=["address"])
    check: str | None = Field(examples=["is_email"])
    context: list[str] = Field(description="Words that raised or lowered the score", examples=[["e-mail"]])
    decoded_from: str | None = Field(description="The encoding in which it was found, if any", examples=["base64"])


class ExplainedFinding(FindingView):
    """A finding with its reasons."""

    because: Reasons


class ScanReply(BaseModel):
    """The findings in a text."""

    findings: list[ExplainedFinding | FindingView]


class BatchScanReply(BaseModel):
    """The findings in each text, in the order of the request."""

    results: list[ScanReply]


class RevealRequest(BaseModel):
    """A token, and the reason for revealing its value."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=2 * MAX_VALUE_BYTES, examples=["<EMAIL_ADDRESS.v1.5f3a9c21.K7YQ…>"])
    reason: GivenReason = Field(examples=["ticket 4711: the customer asks for a call back"])


class Revealed(BaseModel):
    """The value behind a token."""

    value: str = Field(examples=["jane@example.org"])
    alert_id: str = Field(description="The alert that records the caller and the reason")
    rotated: bool = Field(
        description="The key of the token was rotated; the value can be revealed until that key is retired",
        examples=[False],
    )


class ReceiptKeys(BaseModel):
    """The public keys of receipts, as a JWK set; the first one signs new receipts."""

    keys: list[dict[str, str]] = Field(
        examples=[
            [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ufBt8ID9mbVC8fyg…", "x": "11qYAYKxCrfVS_7T…"}]
        ]
    )


@router.post(
    "/scan",
    tags=["detection"],
    dependencies=[allow("scan")],
    response_model=ScanReply | BatchScanReply,
    responses=problem_responses(413, InvalidInput, ScanImpossible, TooManyWaiting),
)
async def scan_text(
    request: Annotated[ScanRequest, Body()], wiring: WiringPart, caller: CallerPart
) -> ScanReply | Response:
    """Return the findings in a text, or in each of up to 1,000. Stores nothing and raises no alert."""
    if (request.text is None) == (request.texts is None):
        raise RequestValidationError([{"type": "one_of", "loc": ("body", "text"), "msg": "either `text` or `texts`"}])
    if request.text is not None:
        return await _scan(wiring.screener, request.text, request.explain)
    async with wiring.batches.of(caller.token_id, MOST_WAITING):
        # Each is rendered on its own, since all together may have a hundred thousand findings.
        results = [
            (await _scan(wiring.screener, text, request.explain)).model_dump_json() for text in request.texts or ()
        ]
    return Response('{"results":[' + ",".join(results) + "]}", media_type="application/json")


@router.post(
    "/reveal",
    tags=["tokens"],
    dependencies=[allow("reveal")],
    responses=problem_responses(UnknownToken, TokenRetired, InvalidInput, PersonalDataFound, 503),
)
async def reveal_token(request: Annotated[RevealRequest, Body()], sender: Sender, wiring: WiringPart) -> Revealed:
    """Return the value that a token stands for. Each use raises an alert with its reason, or is refused."""
    value, alert, is_rotated = await wiring.detokenizer.reveal(request.token, request.reason, sender)
    return Revealed(value=value, alert_id=alert.id, rotated=is_rotated)


@router.get("/receipts/key", tags=["receipts"], dependencies=[allow("receipts")], responses=problem_responses())
async def get_receipt_keys(wiring: WiringPart) -> ReceiptKeys:
    """Return the public keys that verify receipts, as a JWK set; the first one signs new receipts."""
    return ReceiptKeys(**wiring.receipt_keys)


async def _scan(screener: Screener, text: str, is_explaining: bool) -> ScanReply:
    # Lets other requests run between the texts of a long list.
    await asyncio.sleep(0)
    found = await screener.explain(text) if is_explaining else await screener.scan(text)
    return ScanReply.model_validate({"findings": [one.as_dict() for one in found]})
