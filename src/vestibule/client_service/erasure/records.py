"""Records of erasures and of searches. A running one holds the subject's value, encrypted as every entry.

An ended erasure only counts; an ended search lists the places for some hours.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, Field

from vestibule.client_service.jobs import JobKind, JobRecord, JobRecords
from vestibule.contracts.errors import ErasureInProgress, ErasureNotFound
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import MAX_FOUND, MAX_FOUND_CHARS, ErasePage, FindKind, FoundPlace, SubjectQuery
from vestibule.database_client.entries import EntryClient

OWNER, FINDS_OWNER = Principal("~erasures"), Principal("~finds")
KEEP_FOUND_S = 6 * 3600.0


class ErasureState(StrEnum):
    """Whether an erasure still runs."""

    RUNNING = "running"
    FINISHED = "finished"


class ErasureStatus(BaseModel):
    """The progress of an erasure."""

    erasure_id: str = Field(examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"])
    state: ErasureState
    examined: int = Field(description="Entries and results examined so far")
    erased: int = Field(description="Values erased so far; each earlier version counts")
    unreadable: int = Field(description="Values that no key decrypts, or that cannot be decoded; they are skipped")
    started_at: datetime
    finished_at: datetime | None = None
    counts: dict[FindKind, int] = Field(description="Places erased so far, by kind", examples=[{"entry": 2}])
    is_resumed: bool = Field(
        default=False, description="It was continued after its process ended, so the counts may be too low"
    )
    receipt: str | None = Field(
        default=None,
        description="Present at the end: the erasure, signed as a compact JWS; `vestibule receipt verify` checks it",
    )


class FindStatus(BaseModel):
    """The progress of a search for a subject, and at its end the places."""

    find_id: str = Field(examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"])
    state: ErasureState
    is_dry_run: bool = Field(description="Whether it is the dry run of an erasure")
    examined: int = Field(description="Entries and results examined so far")
    unreadable: int = Field(description="Values that no key decrypts, or that cannot be decoded; they are skipped")
    counts: dict[FindKind, int] = Field(description="Places with the value so far, by kind", examples=[{"entry": 2}])
    found: list[FoundPlace] = Field(description="The places, at the end; never a text")
    has_more: bool = Field(description="There are more places than `found` lists; `counts` has them all")
    started_at: datetime
    finished_at: datetime | None = None
    expires_at: datetime | None = Field(default=None, description="When the result is removed")


class ErasureRecord(JobRecord):
    """An erasure or a search as it is stored: the value, and how far it is. `query` is None at the end."""

    erasure_id: str
    query: SubjectQuery | None = None
    stage: int = 0
    cursor: str | None = None
    entries: ErasePage = ErasePage()
    results: ErasePage = ErasePage()
    find_only: bool = False
    is_dry_run: bool = False
    reason: str = ""
    counts: dict[FindKind, int] = Field(default={})
    found: list[FoundPlace] = Field(default=[])
    found_chars: int = 0
    receipt: str | None = None

    @property
    def job_id(self) -> str:
        """The id of the erasure."""
        return self.erasure_id

    @property
    def as_finished(self) -> Self:
        """The record without the reason, which is in the alert."""
        return self.model_copy(update={"reason": ""})

    def is_due_after(self, earlier: Self) -> bool:
        """What was erased is found no more, so a process that is killed loses the counts of one page."""
        return not self.find_only and self.counts != earlier.counts

    @property
    def unreadable(self) -> int:
        """Values that were skipped."""
        return self.entries.unreadable + self.results.unreadable

    @property
    def status(self) -> ErasureStatus:
        """The progress, as the caller sees it."""
        return ErasureStatus(
            erasure_id=self.erasure_id,
            state=ErasureState.RUNNING if self.finished_at is None else ErasureState.FINISHED,
            examined=self.entries.examined + self.results.examined,
            erased=self.entries.erased + self.results.erased,
            unreadable=self.unreadable,
            started_at=datetime.fromtimestamp(self.started_at, UTC),
            finished_at=self.finished_at and datetime.fromtimestamp(self.finished_at, UTC),
            counts=self.counts,
            is_resumed=self.is_resumed,
            receipt=self.receipt,
        )

    def find_status(self, *, with_keys: bool) -> FindStatus:
        """Return the progress of a search, as the caller sees it; keys only `with_keys`."""
        status, has_ended = self.status, self.finished_at is not None
        shown = [one if with_keys else one.model_copy(update={"key": None}) for one in self.found if has_ended]
        return FindStatus(
            find_id=self.erasure_id,
            is_dry_run=self.is_dry_run,
            found=shown,
            has_more=sum(self.counts.values()) > len(self.found),
            expires_at=datetime.fromtimestamp(self.finished_at + KEEP_FOUND_S, UTC) if self.finished_at else None,
            **status.model_dump(include={"state", "examined", "unreadable", "counts", "started_at", "finished_at"}),
        )

    def receipt_claims(self, fingerprint: str) -> dict[str, Any]:
        """Return what the receipt says of the erasure: of the value its keyed fingerprint alone."""
        return {
            "jti": self.erasure_id,
            "tenant": self.tenant,
            "token_id": self.token_id,
            "fingerprint": fingerprint,
            "began_at": int(self.started_at),
            "ended_at": int(self.finished_at or 0),
            "examined": self.entries.examined + self.results.examined,
            "erased": {str(kind): count for kind, count in sorted(self.counts.items())},
            "unreadable": self.unreadable,
            "resumed": self.is_resumed,
        }

    def with_page(self, page: ErasePage) -> dict[str, Any]:
        """Return the counts and the list of places with those of a page; the list is bounded."""
        counts = {kind: self.counts.get(kind, 0) + page.counts.get(kind, 0) for kind in {**self.counts, **page.counts}}
        found, chars = list(self.found), self.found_chars
        for place in page.found:
            if len(found) == MAX_FOUND or chars > MAX_FOUND_CHARS:
                break
            found.append(place)
            chars += len(place.model_dump_json(exclude_none=True))
        return {"counts": counts, "found": found, "found_chars": chars}


class ErasureRecords(JobRecords[ErasureRecord]):
    """The records of erasures, or of searches. A tenant has one of each at a time."""

    def __init__(self, database: EntryClient, *, find_only: bool = False) -> None:
        super().__init__(FINDS if find_only else ERASURES, database)


ERASURES = JobKind(
    "erasure",
    ErasureRecord,
    lambda: ErasureInProgress("An erasure of your tenant is in progress; retry when it has finished."),
    lambda: ErasureNotFound("No erasure has that id."),
)
FINDS = JobKind(
    "search for a subject",
    ErasureRecord,
    lambda: ErasureInProgress("A search of your tenant is in progress; retry when it has finished."),
    lambda: ErasureNotFound("No search of this token has that id."),
    KEEP_FOUND_S,
)
