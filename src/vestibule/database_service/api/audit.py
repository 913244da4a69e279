"""The routes of the audit: add acts, find lines, and get the last one."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from vestibule.contracts.audit import AUDIT_CURSOR_PATTERN, AuditBatch, AuditHead, AuditPage, AuditQuery
from vestibule.contracts.subjects import ErasePage, SubjectQuery
from vestibule.contracts.task_ledger import Name
from vestibule.database_service.api.dependencies import PageSize, WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/audit", tags=["audit"], responses=problem_responses(422, 503))


class AddedActs(BaseModel):
    """How many acts were new."""

    added: int = Field(description="Those that were not recorded already", examples=[1])


@router.post("/add", dependencies=[allow("write")])
async def add_acts(batch: AuditBatch, wiring: WiringPart) -> AddedActs:
    """Add a line for each act, at the end of the chain. An act that has a line with this outcome is not added again.

    What the answer counts is on disk.
    """
    return AddedActs(added=await wiring.audit_log.store.add([one.sealed() for one in batch.records]))


@router.post("/find", dependencies=[allow("read")], response_model_exclude_none=True)
async def find_audit_lines(query: AuditQuery, wiring: WiringPart) -> AuditPage:
    """Return lines of the audit, a page at a time."""
    return await wiring.audit_log.store.page(query)


@router.get("/head", dependencies=[allow("read")])
async def get_audit_head(wiring: WiringPart) -> AuditHead:
    """Return the number and the hash of the last line."""
    return await wiring.audit_log.store.head()


@router.post("/subjects/erase", dependencies=[allow("write")])
async def erase_subject_reasons(
    query: SubjectQuery,
    wiring: WiringPart,
    tenant: Annotated[Name, Query(description="The tenant whose acts they belong to")],
    limit: PageSize = 200,
    cursor: Annotated[
        str | None,
        Query(pattern=AUDIT_CURSOR_PATTERN, description="The cursor of the previous page", examples=["4711"]),
    ] = None,
) -> ErasePage:
    """Erase reasons of a page that contain a subject's value; the lines and their hashes stay."""
    return await wiring.audit_log.erase(query, tenant, limit, cursor)
