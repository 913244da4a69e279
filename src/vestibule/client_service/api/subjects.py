"""The routes that find and erase a subject, and say how far that is."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, Tenant, WiringPart
from vestibule.client_service.erasure import ErasureStatus, FindStatus
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.processing_record import ProcessingRecord, as_markdown
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import ErasureInProgress, ErasureNotFound, TooManyWaiting
from vestibule.contracts.json_types import Flag
from vestibule.contracts.reasons import GivenReason
from vestibule.contracts.subjects import SubjectValue
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

MARKDOWN = "text/markdown"

router = APIRouter(route_class=GuardedRoute, tags=["subjects"])


class Subject(BaseModel):
    """A value to erase everywhere, such as a person's e-mail address."""

    model_config = ConfigDict(extra="forbid")

    value: SubjectValue


class SubjectToFind(Subject):
    """A value to find everywhere, and why; the reason goes into the alert."""

    reason: GivenReason = Field(examples=["Request for information 4711"])


class SubjectToErase(SubjectToFind):
    """A value to erase everywhere, and why."""

    dry_run: Flag = Field(default=False, description="Change nothing, and return what would be erased")


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

FIND_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {**ACCEPTED[202], "model": FindStatus}}
JobId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{32}$",
        description="The id in the `Location` of the reply",
        examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"],
    ),
]


@router.delete(
    "/subjects",
    dependencies=[allow("erase")],
    response_model=ErasedReply,
    responses={**ACCEPTED, **problem_responses(ErasureInProgress, 422, TooManyWaiting, 503)},
)
@audited(Act.SUBJECT_ERASED)
async def erase_subject(
    subject: Annotated[Subject, Body()], wiring: WiringPart, caller: CallerPart
) -> ErasedReply | JSONResponse:
    """Erase every stored value, key, token and result of your tenant that contains the value.

    The value is found in any writing, and not as a part of a longer one. An erasure that takes longer than two seconds
    goes on in the background, over restarts too.
    """
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        record = await wiring.subject_service.erasure.erase(subject.value, caller.principal)
    note_act(target=record.erasure_id)
    if record.finished_at is None:
        return _accepted(record.status, f"/subjects/erasures/{record.erasure_id}")
    bind_log_fields(entries_erased=record.entries.erased, results_erased=record.results.erased)
    return ErasedReply(
        entries_examined=record.entries.examined,
        entries_erased=record.entries.erased,
        results_examined=record.results.examined,
        results_erased=record.results.erased,
        unreadable=record.unreadable,
    )


@router.post(
    "/subjects/find",
    dependencies=[allow("find")],
    responses={**FIND_ACCEPTED, **problem_responses(ErasureInProgress, 422, TooManyWaiting, 503)},
    response_model=FindStatus,
    response_model_exclude_none=True,
)
@audited(Act.SUBJECT_FOUND)
async def find_subject(
    subject: Annotated[SubjectToFind, Body()], wiring: WiringPart, caller: CallerPart
) -> FindStatus | JSONResponse:
    """Return where your tenant keeps the value: what, since when, by whom and in which form, never a text.

    Every search raises an alert with its reason before it begins, or is refused. One that takes longer than two seconds
    goes on in the background. Keys are shown to tokens with the scope `keys`.
    """
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        record = await wiring.subject_service.find(subject.value, subject.reason, caller.principal)
    note_act(target=record.erasure_id)
    return _found(record, caller)


@router.get(
    "/subjects/finds/{find_id}",
    dependencies=[allow("find")],
    responses=problem_responses(ErasureNotFound, 422, 503),
    response_model_exclude_none=True,
)
async def get_find(find_id: JobId, wiring: WiringPart, caller: CallerPart) -> FindStatus:
    """Return the progress of a search of this token, and at its end the places; they are kept for six hours."""
    record = await wiring.subject_service.result_of(find_id, caller.principal)
    return record.find_status(with_keys=caller.may("keys"))


@router.post(
    "/subjects/erase",
    dependencies=[allow("erase")],
    responses={**ACCEPTED, **problem_responses(ErasureInProgress, 422, TooManyWaiting, 503)},
    response_model=ErasureStatus | FindStatus,
    response_model_exclude_none=True,
)
@audited(Act.SUBJECT_ERASED)
async def erase_subject_for_reason(
    subject: Annotated[SubjectToErase, Body()], wiring: WiringPart, caller: CallerPart
) -> ErasureStatus | FindStatus | JSONResponse:
    """Erase the value as `DELETE /subjects` does; at the end there is a signed receipt.

    With `dry_run` nothing changes, and the reply is that of `/subjects/find`; the token needs the scope `find` too.
    """
    if subject.dry_run:
        await wiring.authenticator.require(caller, "find")
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        if subject.dry_run:
            found = await wiring.subject_service.find(subject.value, subject.reason, caller.principal, is_dry_run=True)
            note_act(target=found.erasure_id)
            return _found(found, caller)
        record = await wiring.subject_service.erase(subject.value, subject.reason, caller.principal)
    note_act(target=record.erasure_id)
    if record.finished_at is None:
        return _accepted(record.status, f"/subjects/erasures/{record.erasure_id}")
    bind_log_fields(entries_erased=record.entries.erased, results_erased=record.results.erased)
    return record.status


@router.get(
    "/subjects/erasures/{erasure_id}",
    dependencies=[allow("erase")],
    responses=problem_responses(ErasureNotFound, 422, 503),
    response_model_exclude_none=True,
)
async def get_erasure(erasure_id: JobId, wiring: WiringPart, tenant: Tenant) -> ErasureStatus:
    """Return the progress of an erasure, and at its end the receipt; it is known for 30 days after its end."""
    return (await wiring.subject_service.erasure.find(erasure_id, tenant)).status


@router.get(
    "/records-of-processing",
    dependencies=[allow("records")],
    responses={
        200: {"content": {MARKDOWN: {"schema": {"type": "string"}}}},
        **problem_responses(422, TooManyWaiting, 503),
    },
    response_model=ProcessingRecord,
)
async def get_processing_record(
    wiring: WiringPart, caller: CallerPart, accept: Annotated[str | None, Header(include_in_schema=False)] = None
) -> ProcessingRecord | PlainTextResponse:
    """Return the record of processing activities (GDPR, Article 30): what, why, how long it is kept, where it goes.

    It comes from the policy, the settings and counts of your tenant, as JSON or with `Accept: text/markdown` as a
    document.
    """
    async with wiring.erasures.of(caller.token_id, MOST_WAITING):
        record = await wiring.processing_records.make(caller.principal)
    if accept is not None and MARKDOWN in accept:
        return PlainTextResponse(as_markdown(record), media_type=MARKDOWN)
    return record


def _found(record: ErasureRecord, caller: Caller) -> FindStatus | JSONResponse:
    status = record.find_status(with_keys=caller.may("keys"))
    if record.finished_at is None:
        return _accepted(status, f"/subjects/finds/{record.erasure_id}")
    bind_log_fields(places_found=sum(record.counts.values()))
    return status


def _accepted(status: ErasureStatus | FindStatus, address: str) -> JSONResponse:
    return JSONResponse(status.model_dump(mode="json", exclude_none=True), 202, {"Location": address})
