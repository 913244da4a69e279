"""The routes of the audit: list its lines, and get the signed head of its chain."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from vestibule.client_service.api.wiring import CallerPart, WiringPart
from vestibule.contracts.audit import (
    AUDIT_CURSOR_PATTERN,
    Act,
    ActOutcome,
    AuditHead,
    AuditOrder,
    AuditPage,
    AuditQuery,
    AuditText,
)
from vestibule.contracts.identity import OPERATOR
from vestibule.contracts.json_types import Timestamp
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["audit"], dependencies=[allow("audit")])


class SignedHead(AuditHead):
    """The last line of the audit, signed with the key of receipts."""

    signature: str = Field(
        description="A compact JWS of its number and hash; keep it, and `vestibule audit verify --head` finds what is "
        "missing or was changed up to it",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"],
    )


@router.get("/audit", responses=problem_responses(422, 503), response_model_exclude_none=True)
async def list_audit_lines(
    *,
    wiring: WiringPart,
    visibility: VisibilityPart,
    since: Annotated[
        Timestamp | None, Query(description="Not before this time (RFC 3339)", examples=["2026-01-01T00:00:00Z"])
    ] = None,
    until: Annotated[Timestamp | None, Query(description="Before this time", examples=["2027-01-01T00:00:00Z"])] = None,
    token: Annotated[AuditText | None, Query(description="Id or name of a token", examples=["on-call"])] = None,
    act: Annotated[Act | None, Query(description="What was done", examples=["silence_added"])] = None,
    outcome: Annotated[ActOutcome | None, Query(description="What became of it", examples=["refused"])] = None,
    order: Annotated[
        AuditOrder, Query(description="`oldest` first is the order of the chain", examples=["newest"])
    ] = AuditOrder.NEWEST,
    limit: Annotated[int, Query(ge=1, le=500, description="Lines per page")] = 100,
    cursor: Annotated[
        str | None,
        Query(
            pattern=AUDIT_CURSOR_PATTERN,
            description="The `cursor` of the previous page; with `oldest` also the number of any line",
            examples=["4711"],
        ),
    ] = None,
) -> AuditPage:
    """Return what persons and scripts of your tenant did, newest first; with the scope `operator` all of it.

    A line arrives within two seconds of the act. Lines are never changed or removed, and each has the hash of the one
    before: with the scope `operator`, `vestibule audit verify` checks them.
    """
    wanted = AuditQuery(
        tenants=None if visibility.tenants is None else sorted(visibility.tenants),
        since=since,
        until=until,
        token=token,
        act=act,
        outcome=outcome,
        order=order,
        limit=limit,
        cursor=cursor,
    )
    return await wiring.audit_lines.page(wanted)


@router.get("/audit/head", responses=problem_responses(503))
async def get_audit_head(wiring: WiringPart, caller: CallerPart) -> SignedHead:
    """Return the number and the hash of the last line, signed. Needs the scope `operator` too."""
    await wiring.authenticator.require(caller, OPERATOR)
    head = await wiring.audit_lines.head()
    return SignedHead(seq=head.seq, hash=head.hash, signature=wiring.receipt_signer.sign_head(head.seq, head.hash))
