"""The route that scans text without storing it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from vestibule.client_service.api.decisions import FindingView
from vestibule.client_service.api.wiring import WiringPart
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.entries import within_value_limit
from vestibule.contracts.errors import InvalidInput, ScanImpossible
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["detection"])

MAX_SCAN_TEXTS = 1000


class ScanRequest(BaseModel):
    """One text, or up to a thousand."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "write to me@example.org"}]})

    text: Annotated[str, AfterValidator(within_value_limit)] | None = None
    texts: list[str] | None = Field(default=None, max_length=MAX_SCAN_TEXTS)
    explain: bool = Field(default=False, description="Give the reasons of each finding")


class Reasons(BaseModel):
    """The reasons of a finding: rule, check and the words around it that count. Never the value."""

    rule: str = Field(examples=["address"])
    check: str | None = Field(examples=["is_email"])
    context: list[str] = Field(description="Words that raised or lowered the score", examples=[["e-mail"]])
    decoded_from: str | None = Field(description="The encoding that it was found behind, if any", examples=["base64"])


class ExplainedFinding(FindingView):
    """A finding with its reasons."""

    because: Reasons


class ScanReply(BaseModel):
    """The findings in a text."""

    findings: list[ExplainedFinding | FindingView]


class BatchScanReply(BaseModel):
    """The findings in each text, in the order of the request."""

    results: list[ScanReply]


@router.post("/scan", dependencies=[allow("scan")], responses=problem_responses(413, InvalidInput, ScanImpossible))
async def scan_text(request: Annotated[ScanRequest, Body()], wiring: WiringPart) -> ScanReply | BatchScanReply:
    """Return the findings in a text, or in each of up to 1,000. Stores nothing and raises no alert."""
    if (request.text is None) == (request.texts is None):
        raise RequestValidationError([{"type": "one_of", "loc": ("body", "text"), "msg": "either `text` or `texts`"}])
    if request.text is not None:
        return await _scan(wiring.screener, request.text, request.explain)
    return BatchScanReply(results=[await _scan(wiring.screener, text, request.explain) for text in request.texts or ()])


async def _scan(screener: Screener, text: str, is_explaining: bool) -> ScanReply:
    # Lets other requests run between the texts of a long list.
    await asyncio.sleep(0)
    found = await screener.explain(text) if is_explaining else await screener.scan(text)
    return ScanReply.model_validate({"findings": [one.as_dict() for one in found]})
