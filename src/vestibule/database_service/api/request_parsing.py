"""What requests bring to the database service: the space of the tenant that they are about."""

import re
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from vestibule.contracts.entries import MAX_KEY_BYTES, Key
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.identity import OPERATION, Principal
from vestibule.database_service.api.wiring import DatabaseWiring
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.service_kit.wiring import wiring_of

_OPERATION = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What the OpenAPI description of a route says that takes one.
TAKES_OPERATION: dict[str, Any] = {
    "name": OPERATION.lower(),
    "in": "header",
    "required": False,
    "description": "A name of the write's own: repeated under it within a day, it is kept once and answered alike",
    "schema": {"type": "string", "pattern": f"^{_OPERATION.pattern}$"},
}


async def _space(request: Request) -> TenantView:
    return TenantView(wiring_of(request, DatabaseWiring).store, Principal.parse(request.headers))


async def _store(request: Request) -> Store:
    store: Store = wiring_of(request, DatabaseWiring).store
    return store


async def _operation(request: Request) -> str | None:
    operation = request.headers.get(OPERATION)
    if operation is not None and not _OPERATION.fullmatch(operation):
        mistake = {"where": f"header/{OPERATION}", "kind": "operation", "expected": "1 to 64 letters, digits, - and _"}
        raise InvalidInput(f"The header `{OPERATION}` is not valid.", errors=[mistake])
    return operation


Operation = Annotated[str | None, Depends(_operation)]
StorePart = Annotated[Store, Depends(_store)]
TenantViewPart = Annotated[TenantView, Depends(_space)]
KeyParameter = Annotated[Key, Query()]
Prefix = Annotated[str, Query(max_length=MAX_KEY_BYTES, description="What the keys start with")]
