"""The route of the keys that verify receipts."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from vestibule.client_service.api.wiring import WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["receipts"])


class ReceiptKeys(BaseModel):
    """The public keys of receipts, as a JWK set; the first signs now."""

    keys: list[dict[str, str]] = Field(
        examples=[
            [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "ufBt8ID9mbVC8fyg…", "x": "11qYAYKxCrfVS_7T…"}]
        ]
    )


@router.get("/receipts/key", dependencies=[allow("receipts")], responses=problem_responses())
async def get_receipt_keys(wiring: WiringPart) -> ReceiptKeys:
    """Return the public keys that verify receipts, as a JWK set; the first is the one that signs now."""
    return ReceiptKeys(**wiring.receipt_keys)
