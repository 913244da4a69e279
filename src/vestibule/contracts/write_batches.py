"""Writes of several requests that cross the wall to the database service together, each kept or refused by itself."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.entries import ExpiresAt, Pair
from vestibule.contracts.identity import DEFAULT_TENANT, RESERVED, SENDER_PATTERN, TENANT_PATTERN

MAX_WRITES = 500


class BatchedWrite(Pair):
    """An unconditional write: the pair, on whose behalf, and the request that it is for."""

    tenant: Annotated[str, StringConstraints(pattern=f"^{RESERVED}?{TENANT_PATTERN}$")] = DEFAULT_TENANT
    sender: Annotated[str, StringConstraints(pattern=f"^{SENDER_PATTERN}$")] | None = None
    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None


class BatchedWrites(BaseModel):
    """The writes, in the order in which they came; of two under one key the later one stays."""

    model_config = ConfigDict(extra="forbid")

    writes: list[BatchedWrite] = Field(min_length=1, max_length=MAX_WRITES)


class BatchedWriteOutcome(BaseModel):
    """What became of one write: the version that is on disk, or why nothing was written."""

    version: int | None = None
    expires_at: ExpiresAt = None
    problem: str | None = None


class BatchedWriteOutcomes(BaseModel):
    """What became of each, in the order of the request."""

    outcomes: list[BatchedWriteOutcome]
