"""Answers the question of a browser whether a page of another origin may send a form.

Source: WHATWG Fetch standard, section 3.3 (HTTP CORS protocol). The answer of every request to a form says whether the
page may read it: `service_kit/http/cross_origin.py`.
"""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vestibule.client_service.api.wiring import WiringPart
from vestibule.contracts.errors import OriginRefused

router = APIRouter()

# How long a browser does not ask again; a definition may change meanwhile.
MAX_AGE_S = 600
ALLOWED = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Prefer, X-Request-ID",
    "Access-Control-Max-Age": str(MAX_AGE_S),
}


@router.options("/forms/{name}", include_in_schema=False)
async def check_origin(name: str, request: Request, wiring: WiringPart) -> Response:
    """Say what a page may send to a form, without a token: browsers send none with this question."""
    if "access-control-request-method" not in request.headers:
        raise HTTPException(405)
    if not wiring.forms.allows_origin(name, request.headers.get("origin", "")):
        raise OriginRefused("Pages of this origin may not send the form.")
    return Response(status_code=204, headers=ALLOWED)
