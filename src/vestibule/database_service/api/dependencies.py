"""The parameters and dependencies that the routes of the database service share."""

import re
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from vestibule.contracts.entries import MAX_KEY_BYTES, Key
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import OPERATION, Principal
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.maintenance.reencrypt_entries import EntryReencryption
from vestibule.database_service.maintenance.task_maintenance import TaskMaintenance
from vestibule.database_service.tasks.acceptance import TaskAcceptance
from vestibule.database_service.tasks.completion import TaskCompletion
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger

_OPERATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
# The OpenAPI description of the header, for the routes that take one.
TAKES_OPERATION: dict[str, Any] = {
    "name": OPERATION.lower(),
    "in": "header",
    "required": False,
    "description": "Idempotency key of the write: a repetition within a day writes nothing and gets the first answer",
    "schema": {"type": "string", "pattern": f"^{_OPERATION.pattern}$"},
}


async def _tenant_view(request: Request) -> TenantView:
    return TenantView(request.app.state.store, Principal.parse(request.headers))


async def _operation(request: Request) -> str | None:
    operation = request.headers.get(OPERATION)
    if operation is not None and not _OPERATION.fullmatch(operation):
        mistake = {"where": f"header/{OPERATION}", "kind": "operation", "expected": "1 to 64 letters, digits, - and _"}
        raise InvalidInput(f"The header `{OPERATION}` is not valid.", errors=[mistake])
    return operation


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


async def _change_stream(request: Request) -> ChangeStream:
    stream: ChangeStream = request.app.state.change_stream
    return stream


async def _entry_reencryption(request: Request) -> EntryReencryption:
    reencryption: EntryReencryption = request.app.state.entry_reencryption
    return reencryption


async def _task_ledger(request: Request) -> EncryptedTaskLedger:
    ledger: EncryptedTaskLedger = request.app.state.task_ledger
    return ledger


async def _task_acceptance(request: Request) -> TaskAcceptance:
    acceptance: TaskAcceptance = request.app.state.task_acceptance
    return acceptance


async def _task_completion(request: Request) -> TaskCompletion:
    completion: TaskCompletion = request.app.state.task_completion
    return completion


async def _task_maintenance(request: Request) -> TaskMaintenance:
    maintenance: TaskMaintenance = request.app.state.task_maintenance
    return maintenance


Operation = Annotated[str | None, Depends(_operation)]
KeyParameter = Annotated[Key, Query()]
Prefix = Annotated[str, Query(max_length=MAX_KEY_BYTES, description="What the keys start with")]
Cursor = Annotated[str | None, Query(max_length=MAX_KEY_BYTES, description="The cursor of the page before")]
# Keys of all tenants are longer: each begins with the name of its tenant.
StoredKeyCursor = Annotated[
    str | None, Query(max_length=MAX_KEY_BYTES + 100, description="The cursor of the page before")
]
TaskCursor = Annotated[str | None, Query(max_length=64, pattern=r"^\d+$", description="The cursor of the page before")]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Entries or tasks a page")]

StoreDependency = Annotated[Store, Depends(_store)]
TenantViewDependency = Annotated[TenantView, Depends(_tenant_view)]
ChangeStreamDependency = Annotated[ChangeStream, Depends(_change_stream)]
EntryReencryptionDependency = Annotated[EntryReencryption, Depends(_entry_reencryption)]
TaskLedgerDependency = Annotated[EncryptedTaskLedger, Depends(_task_ledger)]
TaskAcceptanceDependency = Annotated[TaskAcceptance, Depends(_task_acceptance)]
TaskCompletionDependency = Annotated[TaskCompletion, Depends(_task_completion)]
TaskMaintenanceDependency = Annotated[TaskMaintenance, Depends(_task_maintenance)]
