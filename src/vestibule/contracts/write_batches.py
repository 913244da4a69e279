"""Writes of several requests in one call of the database service; each succeeds or fails on its own."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.entries import ExpiresAt, Pair
from vestibule.contracts.identity import DEFAULT_TENANT, RESERVED, SENDER_PATTERN, TENANT_PATTERN

MAX_WRITES = 500


class BatchedWrite(Pair):
    """An unconditional write: the pair, the principal and the request."""

    tenant: Annotated[str, StringConstraints(pattern=f"^{RESERVED}?{TENANT_PATTERN}$")] = DEFAULT_TENANT
    sender: Annotated[str, StringConstraints(pattern=f"^{SENDER_PATTERN}$")] | None = None
    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None


class BatchedWrites(BaseModel):
    """The writes, in the order in which they came; the later of two under one key wins."""

    model_config = ConfigDict(extra="forbid")

    writes: list[BatchedWrite] = Field(min_length=1, max_length=MAX_WRITES)


class BatchedWriteOutcome(BaseModel):
    """The outcome of one write: the version on disk, or why nothing was written."""

    version: int | None = None
    expires_at: ExpiresAt = None
    problem: str | None = None


class BatchedWriteOutcomes(BaseModel):
    """The outcome of each write, in the order of the request."""

    outcomes: list[BatchedWriteOutcome]
