"""The search for a subject and its erasure, between the services: the request, the finds, and the progress of pages."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vestibule.contracts.identity import TENANT_PATTERN
from vestibule.contracts.json_types import Flag

# A page ends after this time, however few entries it has, since a value may have a MiB. Erasing runs with low priority,
# so its timeout is longer than that of other calls.
PAGE_S = 0.5
PAGE_TIMEOUT_S = 10.0
MIN_SUBJECT_CHARS = 4
MAX_SUBJECT_CHARS = 1000
MAX_TENANTS = 10_000
# A search lists as many places, and counts the others. What it keeps has to fit into an entry of every store.
MAX_FOUND = 1000
MAX_FOUND_CHARS = 200_000

SubjectValue = Annotated[
    str, Field(min_length=MIN_SUBJECT_CHARS, max_length=MAX_SUBJECT_CHARS, examples=["jane@example.org"])
]
Tenant = Annotated[str, StringConstraints(pattern=f"^{TENANT_PATTERN}$")]


class FindKind(StrEnum):
    """What holds a value."""

    ENTRY = "entry"
    VERSION = "version"
    KEY = "key"
    ENDED_KEY = "ended_key"
    TASK_DATA = "task_data"
    TASK_RESULT = "task_result"
    SCHEDULE = "schedule"
    CALLBACK = "callback"
    REPLY = "reply"
    CONVERSATION = "conversation"
    REASON = "reason"
    FIND = "find"


class FindForm(StrEnum):
    """How a value is written where it was found."""

    PLAIN = "plain"
    ENCODED = "encoded"
    TOKEN = "token"  # noqa: S105 - the name of a form
    FINGERPRINT = "fingerprint"


class FoundPlace(BaseModel):
    """A place where a value was found: what it is, since when, by whom and in which form; never its text."""

    kind: FindKind
    form: FindForm
    encoding: str | None = Field(
        default=None, description="The encodings around it, the outermost first", examples=["base64"]
    )
    is_part: bool = Field(default=False, description="The value is a part of a longer text")
    key: str | None = Field(
        default=None, description="The key of the entry; absent if the token cannot list keys (scope `keys`)"
    )
    version: int | None = Field(default=None, description="The version of the entry", examples=[1])
    task_id: str | None = Field(default=None, description="The task, for its data, its result and its callback")
    schedule_id: str | None = None
    at: datetime | None = Field(default=None, description="When it was written; absent if the store does not keep that")
    by: str | None = Field(default=None, description="The id of the token that wrote it, where that is kept")


class SubjectQuery(BaseModel):
    """A value to find, and the tenants whose tokens may stand for it."""

    model_config = ConfigDict(extra="forbid")

    value: SubjectValue
    tenants: list[Tenant] = Field(min_length=1, max_length=MAX_TENANTS, examples=[["default"]])
    find_only: Flag = Field(default=False, description="Change nothing, and return what would be erased")


class EraseRequest(SubjectQuery):
    """Entries to erase from: those of the tenant, or of a service those that it keeps for one tenant."""

    owner: Tenant | None = Field(
        default=None,
        description="Only records (JSON objects) with this `tenant`, by their values alone",
    )
    instead: str | None = Field(
        default=None, max_length=1000, description="Replaces a record; without it the record is deleted"
    )
    kind: FindKind = Field(default=FindKind.ENTRY, description="What the records are")
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
    counts: dict[FindKind, int] = Field(default={}, description="Places with the value, by kind")
    found: list[FoundPlace] = Field(default=[], description="Those places, if they are only to be found")

    def note(self, places: Sequence[FoundPlace], *, is_listed: bool) -> None:
        """Count places by kind, and list them where they are only to be found."""
        added = Counter(place.kind for place in places)
        self.counts = {kind: self.counts.get(kind, 0) + added[kind] for kind in {**self.counts, **added}}
        if is_listed:
            self.found = [*self.found, *places][:MAX_FOUND]
