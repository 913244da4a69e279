"""The routes of encryption keys: which keys the stored values use, and re-encryption with the active key."""

from fastapi import APIRouter

from vestibule.contracts.entries import ReencryptionPage
from vestibule.database_service.api.dependencies import (
    PageSize,
    StoredKeyCursor,
    TaskCursor,
)
from vestibule.database_service.api.wiring import WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["encryption"], responses=problem_responses(422, 503))


@router.get("/encryption-keys", dependencies=[allow("read")])
async def count_entry_encryption_keys(
    wiring: WiringPart, limit: PageSize = 200, cursor: StoredKeyCursor = None
) -> ReencryptionPage:
    """Decrypt a page of values; count them by encryption key, and say why some cannot be decrypted."""
    return await wiring.entry_reencryption.check(limit, cursor)


@router.post("/reencrypt", dependencies=[allow("write")])
async def reencrypt_entries(
    wiring: WiringPart, limit: PageSize = 200, cursor: StoredKeyCursor = None
) -> ReencryptionPage:
    """Re-encrypt the values of a page that use an older key; their versions stay."""
    return await wiring.entry_reencryption.reencrypt(limit, cursor)


@router.get("/tasks/encryption-keys", dependencies=[allow("read")])
async def count_task_encryption_keys(
    wiring: WiringPart, limit: PageSize = 200, cursor: TaskCursor = None
) -> ReencryptionPage:
    """Decrypt the data and results of a page of tasks, and count them by encryption key."""
    return await wiring.task_maintenance.check(limit, cursor)


@router.post("/tasks/reencrypt", dependencies=[allow("write")])
async def reencrypt_tasks(wiring: WiringPart, limit: PageSize = 200, cursor: TaskCursor = None) -> ReencryptionPage:
    """Re-encrypt the data and results of a page of tasks that use an older key."""
    return await wiring.task_maintenance.reencrypt(limit, cursor)
