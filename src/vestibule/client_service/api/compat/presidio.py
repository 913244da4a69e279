"""The routes under `/presidio/`: the analyzer and the anonymizer of Presidio at one address."""

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from vestibule.client_service.api.compat.credentials import credentials_with, key_credentials
from vestibule.client_service.api.compat.presidio_description import (
    ANALYZE_BODY,
    ANALYZE_REPLIES,
    ANONYMIZE_BODY,
    ANONYMIZE_REPLIES,
    DEANONYMIZE_BODY,
    DEANONYMIZE_REPLIES,
    names_reply,
)
from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, WiringPart
from vestibule.client_service.compat.presidio.analysis import Analysis, read_request
from vestibule.client_service.compat.presidio.anonymization import Reply, anonymize_request, deanonymize_request
from vestibule.client_service.compat.presidio.refusals import BAD_REQUEST, NOT_JSON, PresidioRefusal
from vestibule.client_service.screening.screener import LARGE_TEXT_CHARS, MOST_SCANS_WAITING, Screener
from vestibule.contracts.errors import InvalidInput
from vestibule.policy.operators import ANONYMIZERS, DEANONYMIZERS
from vestibule.service_kit.auth.authentication import Credentials, GuardedRoute, allow
from vestibule.service_kit.fast_dispatch.strict_requests import JSON, Handler
from vestibule.service_kit.http.foreign_errors import FOREIGN_STATUS
from vestibule.service_kit.openapi.descriptions import FOREIGN_ERRORS

PREFIX = "/presidio/"
# How long a list of texts is analyzed until other requests have their turn.
TURN_S = 0.001
# Short texts that are analyzed in a row: less than a turn.
TOGETHER = 8
_FOREIGN: dict[str, Any] = {FOREIGN_ERRORS: True}

Language = Annotated[str | None, Query(description="Two characters, ISO 639-1; all if absent", examples=["en"])]


class PresidioRoute(GuardedRoute):
    """A guarded route that takes what clients of Presidio send, also its token, and refuses in Presidio's words."""

    is_strict = False

    def get_route_handler(self) -> Handler:
        """Return the handler that serves a request, and turns what Presidio's clients know as errors into ours."""
        handle = super().get_route_handler()

        async def refusing(request: Request) -> Response:
            try:
                return await handle(request)
            except PresidioRefusal as refusal:
                request.scope["state"][FOREIGN_STATUS] = refusal.status
                raise InvalidInput(refusal.message) from None

        return refusing

    def credentials(self, request: Request) -> Credentials | None:
        """Return the token of `x-api-key`, or the password of the address, for clients that send no other header."""
        by_key = key_credentials(request)
        if by_key is not None:
            return by_key
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        token = _password_of(encoded) if scheme.lower() == "basic" else ""
        return credentials_with(request, token) if token else None


router = APIRouter(route_class=PresidioRoute, prefix=PREFIX.rstrip("/"), tags=["presidio"])
# Nothing that it says depends on who asks.
open_router = APIRouter(prefix=PREFIX.rstrip("/"), tags=["presidio"])


@router.post(
    "/analyze",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=ANALYZE_REPLIES,
    openapi_extra={"requestBody": ANALYZE_BODY, **_FOREIGN},
)
async def analyze_text(request: Request, wiring: WiringPart, caller: CallerPart) -> Response:
    """Return the findings in one text or several, as Presidio's analyzer does. Stores nothing and raises no alert.

    Send the token as a bearer token, in `x-api-key`, or as the password of HTTP Basic. Errors are `{"error": ...}`.
    """
    asked = read_request(await _json_of(request))
    wiring.presidio.check_language(asked.language)
    analysis = await Analysis.prepare(wiring.screener, asked)
    headers = await wiring.presidio.report_unserved(analysis.asked, caller.token_id)
    if asked.is_batch:
        async with wiring.batches.of(caller.token_id, MOST_WAITING):
            rendered = await _analyze_all(analysis, wiring.screener, asked.texts)
        return Response(b"[" + b",".join(rendered) + b"]", 200, headers, JSON)
    text = asked.texts[0]
    if analysis.is_short(text):
        (found,) = analysis.analyze_short(asked.texts)
    else:
        # Lets other requests run before a scan.
        await asyncio.sleep(0)
        found = await analysis.analyze(wiring.screener, text)
    return Response(orjson.dumps(found), 200, headers, JSON)


async def _analyze_all(analysis: Analysis, screener: Screener, texts: Sequence[str]) -> list[bytes]:
    """Return what is found in each text, rendered; short ones several at a time, others have their turn between."""
    rendered: list[bytes] = []
    turn_ends = 0.0
    at = 0
    while at < len(texts):
        if time.monotonic() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.monotonic() + TURN_S
        some = list(takewhile(analysis.is_short, texts[at : at + TOGETHER]))
        if some:
            rendered.extend(map(orjson.dumps, analysis.analyze_short(some)))
        else:
            rendered.append(orjson.dumps(await analysis.analyze(screener, texts[at])))
        at += len(some) or 1
    return rendered


@router.get(
    "/supportedentities",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=names_reply("The names of all entities", "CREDIT_CARD", "EMAIL_ADDRESS"),
    openapi_extra=_FOREIGN,
)
async def list_supported_entities(wiring: WiringPart, language: Language = None) -> Response:
    """Return the names of the entities that can be asked for: Presidio's, and ours that it does not have."""
    return _json(wiring.presidio.supported_entities(language))


@router.get(
    "/recognizers",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=names_reply("The names of all recognizers", "CreditCardRecognizer"),
    openapi_extra=_FOREIGN,
)
async def list_recognizers(wiring: WiringPart, language: Language = None) -> Response:
    """Return the names of what finds the entities, one for each."""
    return _json(wiring.presidio.recognizers(language))


@router.post(
    "/anonymize",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=ANONYMIZE_REPLIES,
    openapi_extra={"requestBody": ANONYMIZE_BODY, **_FOREIGN},
)
async def anonymize_text(request: Request, wiring: WiringPart) -> Response:
    """Return a text with findings replaced, masked, hashed, encrypted or removed, as Presidio's anonymizer does."""
    return await _changed(request, wiring, anonymize_request)


@router.post(
    "/deanonymize",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=DEANONYMIZE_REPLIES,
    openapi_extra={"requestBody": DEANONYMIZE_BODY, **_FOREIGN},
)
async def deanonymize_text(request: Request, wiring: WiringPart) -> Response:
    """Return a text in which what `encrypt` has replaced is decrypted, with the key that the request brings."""
    return await _changed(request, wiring, deanonymize_request)


@router.get(
    "/anonymizers",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=names_reply("The operators of `/anonymize`", *sorted(ANONYMIZERS)),
    openapi_extra=_FOREIGN,
)
async def list_anonymizers() -> Response:
    """Return the names of the operators that anonymize."""
    return _json(sorted(ANONYMIZERS))


@router.get(
    "/deanonymizers",
    dependencies=[allow("scan")],
    response_class=Response,
    responses=names_reply("The operators of `/deanonymize`", *sorted(DEANONYMIZERS)),
    openapi_extra=_FOREIGN,
)
async def list_deanonymizers() -> Response:
    """Return the names of the operators that undo others."""
    return _json(sorted(DEANONYMIZERS))


@open_router.get("/health", response_class=PlainTextResponse, openapi_extra=_FOREIGN)
async def get_presidio_health() -> str:
    """Say that the interface of Presidio is served; `GET /readyz` says more."""
    return "Presidio API is up"


async def _changed(request: Request, wiring: WiringPart, change: Callable[[Any], Reply]) -> Response:
    content = await _json_of(request)
    if len(await request.body()) <= LARGE_TEXT_CHARS:
        return _json(change(content))
    return _json(await wiring.screener.in_thread(lambda: change(content), MOST_SCANS_WAITING))


async def _json_of(request: Request) -> Any:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise PresidioRefusal(415, NOT_JSON)
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise PresidioRefusal(400, BAD_REQUEST) from None


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type=JSON)


def _password_of(encoded: str) -> str:
    """Return the password of HTTP Basic, whoever the user is; empty if there is none. Source: RFC 7617."""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
