"""Writes of several requests that cross the wall to the database service together, each kept or refused by itself."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.entries import ExpiresAt, Pair
from vestibule.contracts.identity import DEFAULT_TENANT, RESERVED, SENDER_PATTERN, TENANT_PATTERN

MAX_WRITES = 500


class GatheredWrite(Pair):
    """An unconditional write: the pair, on whose behalf, and the request that it is for."""

    tenant: Annotated[str, StringConstraints(pattern=f"^{RESERVED}?{TENANT_PATTERN}$")] = DEFAULT_TENANT
    sender: Annotated[str, StringConstraints(pattern=f"^{SENDER_PATTERN}$")] | None = None
    request_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = None


class GatheredWrites(BaseModel):
    """The writes, in the order in which they came; of two under one key the later one stays."""

    model_config = ConfigDict(extra="forbid")

    writes: list[GatheredWrite] = Field(min_length=1, max_length=MAX_WRITES)


class GatheredOutcome(BaseModel):
    """What became of one write: the version that is on disk, or why nothing was written."""

    version: int | None = None
    expires_at: ExpiresAt = None
    problem: str | None = None


class GatheredOutcomes(BaseModel):
    """What became of each, in the order of the request."""

    outcomes: list[GatheredOutcome]
