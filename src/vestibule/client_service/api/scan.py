"""The routes for people who watch the door: scanning, revealing, and the key of receipts."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from fastapi.exceptions import RequestValidationError

from vestibule.client_service.api.request_parsing import Sender
from vestibule.client_service.api.schemas import (
    BatchScanReply,
    ReceiptKeys,
    Revealed,
    RevealRequest,
    ScanReply,
    ScanRequest,
)
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, ScanImpossible, TokenRetired, UnknownToken
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute)

REVEAL_PROBLEMS = problem_responses(UnknownToken, TokenRetired, InvalidInput, PersonalDataFound)


async def _screener(request: Request) -> Screener:
    return wiring_of(request, ClientWiring).screener


async def _revealing(request: Request) -> Detokenizer:
    return wiring_of(request, ClientWiring).detokenizer


@router.post(
    "/scan",
    tags=["detection"],
    dependencies=[allow("scan")],
    responses=problem_responses(413, InvalidInput, ScanImpossible),
)
async def scan(
    request: Annotated[ScanRequest, Body()], screener: Annotated[Screener, Depends(_screener)]
) -> ScanReply | BatchScanReply:
    """Say what the door would find in a text, or in each of up to 1,000. Stores nothing and raises no alert."""
    if (request.text is None) == (request.texts is None):
        raise RequestValidationError([{"type": "one_of", "loc": ("body", "text"), "msg": "either `text` or `texts`"}])
    if request.text is not None:
        return await _scan(screener, request.text, request.explain)
    return BatchScanReply(results=[await _scan(screener, text, request.explain) for text in request.texts or ()])


@router.post("/reveal", tags=["tokens"], dependencies=[allow("reveal")], responses=REVEAL_PROBLEMS)
async def reveal(
    request: Annotated[RevealRequest, Body()],
    sender: Sender,
    revealing: Annotated[Detokenizer, Depends(_revealing)],
) -> Revealed:
    """Return the value that a token stands for. Each use raises an alert with its reason."""
    value, raised = await revealing.reveal(request.token, request.reason, sender)
    return Revealed(value=value, alert_id=raised.id, rotated=revealing.is_rotated(request.token))


@router.get("/receipts/key", tags=["receipts"], dependencies=[allow("receipts")], responses=problem_responses())
async def receipt_keys(request: Request) -> ReceiptKeys:
    """Return the public keys that verify receipts, as a JWK set; the first is the one that signs now."""
    return ReceiptKeys(**wiring_of(request, ClientWiring).receipt_keys)


async def _scan(screener: Screener, text: str, is_explaining: bool) -> ScanReply:
    # Others get their turn between the texts of a long list.
    await asyncio.sleep(0)
    found = await screener.explain(text) if is_explaining else await screener.scan(text)
    return ScanReply.model_validate({"findings": [one.as_dict() for one in found]})
