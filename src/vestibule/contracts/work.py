"""The work that is asked of processors: in the queue, and of the business logic service."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from vestibule.contracts.entries import Key
from vestibule.contracts.identity import DEFAULT_TENANT

DEFAULT_PROCESSOR = "uppercase"


class WorkOrigin(BaseModel):
    """Whose work it is, by which route it came, and the key that it is about: by these the policy judges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    route: str = "/run"
    tenant: str = DEFAULT_TENANT
    token_id: str | None = None
    token_name: str | None = None
    key: str | None = None


class WorkTerms(BaseModel):
    """What was asked about work beside its data. It came from outside too, so it is kept and sent sealed as data is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    options: dict[str, Any] = {}
    write_to: Key | None = Field(default=None, description="The key that the result goes to")
    origin: WorkOrigin = WorkOrigin()


# The terms of work that asks for nothing but its processor.
NO_TERMS = WorkTerms()


class ProcessRequest(BaseModel):
    """Text to process, by which processor, and how."""

    model_config = ConfigDict(extra="forbid")

    data: str = Field(examples=["hello"])
    processor: str = Field(default=DEFAULT_PROCESSOR, examples=[DEFAULT_PROCESSOR])
    options: dict[str, Any] = Field(default={}, description="Options of the processor: `GET /processors` of the door")
    work_id: str | None = Field(default=None, max_length=64, description="The same each time that the work is repeated")
    origin: WorkOrigin | None = Field(default=None, description="On whose behalf; services alone are believed")


class ProcessResponse(BaseModel):
    """What a processor made of the text."""

    processed_data: str = Field(examples=["HELLO"])
