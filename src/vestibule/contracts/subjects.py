"""Erasure of a subject, between the services: the request, and the progress of its pages."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.identity import TENANT_PATTERN

# A page ends after this time, however few entries it has, since a value may have a MiB. Erasing runs with low priority,
# so its timeout is longer than that of other calls.
PAGE_S = 0.5
PAGE_TIMEOUT_S = 10.0
MIN_SUBJECT_CHARS = 4
MAX_SUBJECT_CHARS = 1000
MAX_TENANTS = 10_000

SubjectValue = Annotated[
    str, Field(min_length=MIN_SUBJECT_CHARS, max_length=MAX_SUBJECT_CHARS, examples=["jane@example.org"])
]
Tenant = Annotated[str, StringConstraints(pattern=f"^{TENANT_PATTERN}$")]


class SubjectQuery(BaseModel):
    """A value to find, and the tenants whose tokens may stand for it."""

    model_config = ConfigDict(extra="forbid")

    value: SubjectValue
    tenants: list[Tenant] = Field(min_length=1, max_length=MAX_TENANTS, examples=[["default"]])


class EraseRequest(SubjectQuery):
    """Entries to erase from: those of the tenant, or of a service those that it keeps for one tenant."""

    owner: Tenant | None = Field(
        default=None,
        description="Only records (JSON objects) with this `tenant`, by their values alone",
    )
    instead: str | None = Field(
        default=None, max_length=1000, description="Replaces a record; without it the record is deleted"
    )
    field: str | None = Field(
        default=None,
        max_length=100,
        description="Only this field of a record is searched, and is replaced; the record stays",
    )


class ErasePage(BaseModel):
    """The result of erasing from a page of entries, and where the next page starts."""

    examined: int = Field(default=0, description="Entries examined")
    erased: int = Field(default=0, description="Values erased because they held the value; each earlier version counts")
    unreadable: int = Field(default=0, description="Entries with a value that could not be decrypted or searched")
    cancelled: list[str] = Field(default=[], description="Tasks that may wait in the queue with data that was erased")
    cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page; absent on the last")
