"""Work for processors: in the queue, and in calls of the business logic service."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vestibule.contracts.entries import Key
from vestibule.contracts.identity import DEFAULT_TENANT

DEFAULT_PROCESSOR = "uppercase"


class WorkOrigin(BaseModel):
    """The caller, route and key of the work; the policy decides by these."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: str = "/run"
    tenant: str = DEFAULT_TENANT
    token_id: str | None = None
    token_name: str | None = None
    key: str | None = None


class WorkTerms(BaseModel):
    """Options and target of work. Callers chose them, so they are stored and sent encrypted like data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: dict[str, Any] = {}
    write_to: Key | None = Field(default=None, description="Key that the result is written to")
    origin: WorkOrigin = WorkOrigin()


# The terms of work that asks for nothing but its processor.
NO_TERMS = WorkTerms()


class ProcessRequest(BaseModel):
    """A text to process, the processor and its options."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(examples=["hello"])
    processor: str = Field(default=DEFAULT_PROCESSOR, examples=[DEFAULT_PROCESSOR])
    options: dict[str, Any] = Field(
        default={}, description="Options of the processor: see `GET /processors` of the client service"
    )
    work_id: str | None = Field(default=None, max_length=64, description="The same for every repetition of the work")
    origin: WorkOrigin | None = Field(default=None, description="On whose behalf; accepted from services only")


class ProcessResponse(BaseModel):
    """The processed text."""

    processed_data: str = Field(examples=["HELLO"])
