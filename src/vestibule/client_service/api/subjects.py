"""The routes that erase a subject, and say how far an erasure is."""

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Body, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, Tenant, WiringPart
from vestibule.client_service.erasure import ErasureStatus
from vestibule.contracts.errors import ErasureInProgress, ErasureNotFound, TooManyWaiting
from vestibule.contracts.subjects import SubjectValue
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["subjects"], dependencies=[allow("erase")])


class Subject(BaseModel):
    """A value to erase everywhere, such as a person's e-mail address."""

    model_config = ConfigDict(extra="forbid")

    value: SubjectValue


class ErasedReply(BaseModel):
    """How much was searched, and how much was erased."""

    entries_examined: int
    entries_erased: int
    results_examined: int
    results_erased: int
    unreadable: int = Field(description="Values that no key decrypts, or that cannot be decoded; they are skipped")


ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": ErasureStatus,
        "description": "The erasure goes on; `Location` says where its progress is",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Address of the progress"}},
    }
}


@router.delete(
    "/subjects",
    response_model=ErasedReply,
    responses={**ACCEPTED, **problem_responses(ErasureInProgress, 422, TooManyWaiting, 503)},
)
async def erase_subject(
    subject: Annotated[Subject, Body()], wiring: WiringPart, caller: CallerPart
) -> ErasedReply | JSONResponse:
    """Erase every stored value, key, token and result of your tenant that contains the value.

    The value is found in any writing, and not as a part of a longer one. An erasure that takes longer than two seconds
    goes on in the background, over restarts too.
    """
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        record = await wiring.erasure.erase(subject.value, caller.principal)
    if record.finished_at is None:
        address = {"Location": f"/subjects/erasures/{record.erasure_id}"}
        return JSONResponse(record.status.model_dump(mode="json"), 202, address)
    structlog.contextvars.bind_contextvars(entries_erased=record.entries.erased, results_erased=record.results.erased)
    return ErasedReply(
        entries_examined=record.entries.examined,
        entries_erased=record.entries.erased,
        results_examined=record.results.examined,
        results_erased=record.results.erased,
        unreadable=record.unreadable,
    )


@router.get("/subjects/erasures/{erasure_id}", responses=problem_responses(ErasureNotFound, 422, 503))
async def get_erasure(
    erasure_id: Annotated[
        str,
        Path(
            pattern="^[0-9a-f]{32}$",
            description="The id in the `Location` of the reply to `/subjects`",
            examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"],
        ),
    ],
    wiring: WiringPart,
    tenant: Tenant,
) -> ErasureStatus:
    """Return the progress of an erasure; it is known for 30 days after its end."""
    return (await wiring.erasure.find(erasure_id, tenant)).status
