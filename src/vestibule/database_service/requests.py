"""What requests bring to the database service: the space of the tenant that they are about."""

from typing import Annotated

from fastapi import Depends, Query, Request

from vestibule.contracts.entries import MAX_KEY_BYTES, Key
from vestibule.contracts.principal import Principal
from vestibule.database_service.store import Store
from vestibule.database_service.tenant_space import TenantSpace


async def _space(request: Request) -> TenantSpace:
    return TenantSpace(request.app.state.store, Principal.parse(request.headers))


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


StorePart = Annotated[Store, Depends(_store)]
SpacePart = Annotated[TenantSpace, Depends(_space)]
KeyParameter = Annotated[Key, Query()]
Prefix = Annotated[str, Query(max_length=MAX_KEY_BYTES, description="What the keys start with")]
