"""The routes of maintenance: the encryption keys of stored values, re-encryption, and erasure of data subjects."""

from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.entries import ReencryptionPage, StoreDescription
from vestibule.contracts.subjects import ErasePage, EraseRequest, SubjectQuery
from vestibule.contracts.task_ledger import Name
from vestibule.database_service.api.dependencies import (
    Owner,
    PageSize,
    StoredKeyCursor,
    TaskCursor,
    WiringPart,
)
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, responses=problem_responses(422, 503))


@router.get("/store", tags=["entries"], dependencies=[allow("read")])
async def get_store(wiring: WiringPart) -> StoreDescription:
    """Return the kind of the store, and how long it keeps what."""
    return wiring.store_description


@router.get("/encryption-keys", tags=["encryption"], dependencies=[allow("read")])
async def count_entry_encryption_keys(
    wiring: WiringPart, limit: PageSize = 200, cursor: StoredKeyCursor = None
) -> ReencryptionPage:
    """Decrypt a page of values; count them by encryption key, and give the reason for each that cannot be decrypted."""
    return await wiring.entry_reencryption.check(limit, cursor)


@router.post("/reencrypt", tags=["encryption"], dependencies=[allow("write")])
async def reencrypt_entries(
    wiring: WiringPart, limit: PageSize = 200, cursor: StoredKeyCursor = None
) -> ReencryptionPage:
    """Re-encrypt the values of a page that use an older key; their versions stay."""
    return await wiring.entry_reencryption.reencrypt(limit, cursor)


@router.get("/tasks/encryption-keys", tags=["encryption"], dependencies=[allow("read")])
async def count_task_encryption_keys(
    wiring: WiringPart, limit: PageSize = 200, cursor: TaskCursor = None
) -> ReencryptionPage:
    """Decrypt the data and results of a page of tasks, and count them by encryption key."""
    return await wiring.task_maintenance.check(limit, cursor)


@router.post("/tasks/reencrypt", tags=["encryption"], dependencies=[allow("write")])
async def reencrypt_tasks(wiring: WiringPart, limit: PageSize = 200, cursor: TaskCursor = None) -> ReencryptionPage:
    """Re-encrypt the data and results of a page of tasks that use an older key."""
    return await wiring.task_maintenance.reencrypt(limit, cursor)


@router.post("/subjects/erase", tags=["subjects"], dependencies=[allow("write")])
async def erase_subject_entries(
    request: EraseRequest, wiring: WiringPart, owner: Owner, limit: PageSize = 200, cursor: StoredKeyCursor = None
) -> ErasePage:
    """Erase a subject's value from a page of entries and their history, and keys that contain it."""
    return await wiring.erasure.entries.erase(request, owner, limit, cursor)


@router.post("/subjects/erase-ended", tags=["subjects"], dependencies=[allow("write")])
async def erase_subject_keys(
    query: SubjectQuery, wiring: WiringPart, owner: Owner, limit: PageSize = 1000, cursor: StoredKeyCursor = None
) -> ErasePage:
    """Erase deleted and expired keys of a page that contain a subject's value; their number is not counted."""
    return await wiring.erasure.entries.erase_ended(query, owner, limit, cursor)


@router.post("/tasks/subjects/erase", tags=["subjects"], dependencies=[allow("write")])
async def erase_subject_tasks(
    query: SubjectQuery,
    wiring: WiringPart,
    tenant: Annotated[Name, Query(description="The tenant that owns the tasks")],
    limit: PageSize = 200,
    cursor: TaskCursor = None,
) -> ErasePage:
    """Erase data and results of a tenant's tasks that contain a subject's value; unfinished ones are cancelled."""
    return await wiring.erasure.tasks.erase(query, tenant, limit, cursor)
