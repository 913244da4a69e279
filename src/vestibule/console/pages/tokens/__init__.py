"""Tokens, made, rotated and revoked; and the audit of what was done with them."""

from fastapi import APIRouter

from vestibule.console.pages.tokens import administration, audit

router = APIRouter()
# `/tokens/{token_id}` matches the address of the audit as well, so it comes last.
for _area in (audit, administration):
    router.include_router(_area.router)
