"""The routes of the tokens of callers: read, follow, replace, and note their uses."""

from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.entries import ReencryptionPage
from vestibule.contracts.tokens import (
    FIRST_POSITION,
    MAX_TOKENS,
    POSITION_PATTERN,
    ReplacedToken,
    TokenChanges,
    TokenId,
    TokenIds,
    TokenPage,
    TokenReplacement,
    TokenUses,
)
from vestibule.database_service.api.dependencies import PageSize, WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tokens", tags=["tokens"], responses=problem_responses(422, 503))

TokenCursor = Annotated[
    TokenId | None, Query(description="The cursor of the previous page", examples=["019ad6f3c2401f2e3d"])
]


@router.get("", dependencies=[allow("read")])
async def list_stored_tokens(wiring: WiringPart, limit: PageSize = MAX_TOKENS, cursor: TokenCursor = None) -> TokenPage:
    """Return tokens by id, a page at a time."""
    return await wiring.tokens.page(limit, cursor)


@router.get("/changes", dependencies=[allow("read")])
async def list_token_changes(
    wiring: WiringPart,
    since: Annotated[
        str, Query(pattern=POSITION_PATTERN, description="The position of the previous answer", examples=["7.1f2e3d4c"])
    ] = FIRST_POSITION,
    limit: PageSize = MAX_TOKENS,
) -> TokenChanges:
    """Return the tokens that have changed after a position, and the next position."""
    return await wiring.tokens.changes(since, limit)


@router.post("/replace", dependencies=[allow("write")])
async def change_stored_token(request: TokenReplacement, wiring: WiringPart) -> ReplacedToken:
    """Write or remove a token if nobody has changed it meanwhile; a 200 that says so means that it is on disk."""
    return ReplacedToken(is_replaced=await wiring.tokens.replace(request))


@router.post("/uses", dependencies=[allow("write")])
async def add_token_uses(request: TokenUses, wiring: WiringPart) -> TokenUses:
    """Note when tokens were used, and how many of their requests were refused; the answer is empty."""
    await wiring.tokens.note_uses(request.uses)
    return TokenUses(uses=[])


@router.post("/uses/find", dependencies=[allow("read")])
async def find_token_uses(request: TokenIds, wiring: WiringPart) -> TokenUses:
    """Return the uses of those of the tokens that have some."""
    return TokenUses(uses=await wiring.tokens.find_uses(request.ids))


@router.get("/encryption-keys", dependencies=[allow("read")])
async def count_token_encryption_keys(
    wiring: WiringPart, limit: PageSize = 200, cursor: TokenCursor = None
) -> ReencryptionPage:
    """Decrypt a page of tokens, and count them by encryption key."""
    return await wiring.tokens.check(limit, cursor)


@router.post("/reencrypt", dependencies=[allow("write")])
async def reencrypt_tokens(wiring: WiringPart, limit: PageSize = 200, cursor: TokenCursor = None) -> ReencryptionPage:
    """Re-encrypt the tokens of a page that use an older key."""
    return await wiring.tokens.reencrypt(limit, cursor)
