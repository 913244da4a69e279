"""The parameters and dependencies that the routes of the database service share."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from vestibule.contracts.entries import MAX_KEY_BYTES, PRINTABLE, Key, KeyBound, StoreDescription
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import OPERATION, Principal
from vestibule.contracts.tasks import TASK_CURSOR_PATTERN
from vestibule.database_service.audit.erasure import AuditErasure
from vestibule.database_service.decisions.decision_store import DecisionStore
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.maintenance.erasure import SubjectErasure
from vestibule.database_service.maintenance.jobs import EntryReencryption, TaskMaintenance
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.task_entries import TaskAcceptance, TaskCompletion
from vestibule.database_service.tokens.encrypted_register import EncryptedTokenRegister
from vestibule.service_kit.wiring import ServiceWiring, wired, wiring_of

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
    return TenantView(wiring_of(request, DatabaseWiring).store, Principal.parse(request.headers))


async def _owner(request: Request) -> Principal:
    return Principal.parse(request.headers)


async def _operation(request: Request) -> str | None:
    operation = request.headers.get(OPERATION)
    if operation is not None and not _OPERATION.fullmatch(operation):
        mistake = {"where": f"header/{OPERATION}", "kind": "operation", "expected": "1 to 64 letters, digits, - and _"}
        raise InvalidInput(f"The header `{OPERATION}` is not valid.", errors=[mistake])
    return operation


Owner = Annotated[Principal, Depends(_owner)]
Operation = Annotated[str | None, Depends(_operation)]
KeyParameter = Annotated[Key, Query()]
Prefix = Annotated[KeyBound, Query(description="Prefix of the keys")]
Cursor = Annotated[KeyBound, Query(description="The cursor of the previous page")]
# Keys of all tenants are longer: each begins with the name of its tenant.
StoredKeyCursor = Annotated[
    str | None, Query(max_length=MAX_KEY_BYTES + 100, pattern=PRINTABLE, description="The cursor of the previous page")
]
TaskCursor = Annotated[
    str | None, Query(pattern=TASK_CURSOR_PATTERN, description="The cursor of the previous page", examples=["4711"])
]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Entries or tasks per page")]

TenantViewPart = Annotated[TenantView, Depends(_tenant_view)]


@dataclass(frozen=True, slots=True)
class DatabaseWiring(ServiceWiring):
    """The parts of the service that its routes call."""

    store: Store
    entry_reencryption: EntryReencryption
    change_stream: ChangeStream
    task_ledger: EncryptedTaskLedger
    task_acceptance: TaskAcceptance
    task_completion: TaskCompletion
    task_maintenance: TaskMaintenance
    erasure: SubjectErasure
    decisions: DecisionStore
    store_description: StoreDescription
    tokens: EncryptedTokenRegister
    audit_log: AuditErasure


WiringPart = Annotated[DatabaseWiring, Depends(wired(DatabaseWiring))]
