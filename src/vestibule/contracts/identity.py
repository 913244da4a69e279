"""The principal for which one service calls another: the tenant of the data, and the token of the caller."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

from pydantic import StringConstraints

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.scopes import OPERATOR as OPERATOR  # noqa: PLC0414 - it belongs to principals as well

TENANT_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
SENDER_PATTERN = r"[A-Za-z0-9_-]{1,64}"
DEFAULT_TENANT = "default"
# Tenants that begin with this belong to the services; no token can have such a tenant.
RESERVED = "~"
# The owner of what belongs to no tenant: alerts about parts, unknown tokens, rules of operators.
SYSTEM_TENANT = "~system"
TENANT, SENDER = "X-Vestibule-Tenant", "X-Vestibule-Sender"
# The id of a write that may be repeated, between services as from callers.
OPERATION = "Idempotency-Key"

TenantName = Annotated[str, StringConstraints(pattern=f"^{TENANT_PATTERN}$")]

_TENANT = re.compile(rf"{RESERVED}?{TENANT_PATTERN}")
_SENDER = re.compile(SENDER_PATTERN)


class Principal(NamedTuple):
    """An authenticated caller, by tenant and token id; without a token it is a service."""

    tenant: str = DEFAULT_TENANT
    token_id: str | None = None

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> Self:
        """Return the principal that the headers of a request between services name; by default the default tenant.

        Raises:
            InvalidInput: one of them is malformed.
        """
        tenant, token_id = headers.get(TENANT, DEFAULT_TENANT), headers.get(SENDER)
        if not _TENANT.fullmatch(tenant):
            raise _malformed(TENANT, f"`{TENANT_PATTERN}`")
        if token_id is not None and not _SENDER.fullmatch(token_id):
            raise _malformed(SENDER, "the id of a token")
        return cls(tenant, token_id)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that name this principal."""
        return {TENANT: self.tenant} | ({} if self.token_id is None else {SENDER: self.token_id})


# The owner of what the scheduler service keeps: windows, heartbeats, and the states of parts.
SCHEDULER_OWNER = Principal("~scheduler")


@dataclass(frozen=True, slots=True)
class Visibility:
    """Whose alerts, silences, heartbeats and maintenance windows somebody sees and changes.

    `tenants` is None for those of all. `owner` is the tenant of what they add; rules of `~system` apply to all tenants.
    """

    tenants: frozenset[str] | None
    owner: str

    def covers(self, tenant: str) -> bool:
        """Say whether what belongs to `tenant` can be seen."""
        return self.tenants is None or tenant in self.tenants


EVERYTHING = Visibility(None, SYSTEM_TENANT)


def _malformed(name: str, expected: str) -> InvalidInput:
    mistake = {"where": f"header/{name}", "kind": "principal", "expected": expected}
    return InvalidInput(f"The header `{name}` is not valid.", errors=[mistake])
