"""Searches for subjects, erasures, and the record of processing activities."""

from dataclasses import field
from datetime import datetime

from vestibule.client.decoding import Result, result

FINISHED = "finished"


@result
class FoundPlace(Result):
    """A place where a value was found: what it is, since when, by whom and in which form; never its text."""

    kind: str
    form: str
    # The encodings around it, the outermost first
    encoding: str | None = None
    # The value is a part of a longer text
    is_part: bool = False
    # The key of the entry; absent if the token cannot list keys (scope `keys`)
    key: str | None = None
    # The version of the entry
    version: int | None = None
    # The task, for its data, its result and its callback
    task_id: str | None = None
    schedule_id: str | None = None
    # When it was written; absent if the store does not keep that
    at: datetime | None = None
    # The id of the token that wrote it, where that is kept
    by: str | None = None


@result
class SubjectSearch(Result):
    """The progress of a search for a subject, and at its end the places."""

    find_id: str
    state: str
    # Whether it is the dry run of an erasure
    is_dry_run: bool
    # Entries and results examined so far
    examined: int
    # Values that no key decrypts, or that cannot be decoded; they are skipped
    unreadable: int
    # Places with the value so far, by kind
    counts: dict[str, int]
    # The places, at the end; never a text
    found: list[FoundPlace]
    # There are more places than `found` lists; `counts` has them all
    has_more: bool
    started_at: datetime
    finished_at: datetime | None = None
    # When the result is removed
    expires_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, so that the places are there."""
        return self.state == FINISHED


@result
class Erasure(Result):
    """The progress of an erasure."""

    erasure_id: str
    state: str
    # Entries and results examined so far
    examined: int
    # Values erased so far; each earlier version counts
    erased: int
    # Values that no key decrypts, or that cannot be decoded; they are skipped
    unreadable: int
    started_at: datetime
    finished_at: datetime | None = None
    # Places erased so far, by kind
    counts: dict[str, int]
    # It was continued after its process ended, so the counts may be too low
    is_resumed: bool = False
    # Present at the end: the erasure, signed as a compact JWS; `vestibule receipt verify` checks it
    receipt: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, so that the receipt is there."""
        return self.state == FINISHED


@result
class ErasedCounts(Result):
    """How much was searched, and how much was erased."""

    entries_examined: int
    entries_erased: int
    results_examined: int
    results_erased: int
    # Values that no key decrypts, or that cannot be decoded; they are skipped
    unreadable: int


@result
class KeptEntries(Result):
    """How long entries are kept by one rule of the policy; `entities` are those that it is about, all if empty."""

    key_prefixes: list[str]
    entities: list[str]
    default_ttl_s: float | None = None
    max_ttl_s: float | None = None


@result
class ProcessingActivity(Result):
    """A processing activity: entries with one purpose."""

    # Of which keys; empty for all others
    key_prefixes: list[str]
    purpose: str
    legal_basis: str
    data_subjects: list[str]
    recipients: list[str]
    # The kinds of personal data and secrets that come in, by what the policy does with them; those that it blocks
    # are not stored
    categories: dict[str, list[str]]
    # Without a rule, entries are kept until they are deleted or expire
    kept: list[KeptEntries]
    # Entries of your tenant; absent if they were not counted
    entries: int | None = None
    # There are more than `entries` says
    has_more_entries: bool = False


@result
class KeptData(Result):
    """A place that keeps data, in which form, and for how long in seconds; None until it is deleted."""

    name: str
    content: str
    form: str
    kept_s: float | None = None


@result
class DataDestination(Result):
    """Where something goes from here."""

    kind: str
    name: str
    content: str
    hosts: list[str] = field(default_factory=list)


@result
class ProcessingRecord(Result):
    """What is processed, why, how long it is kept, and where it goes."""

    generated_at: datetime
    tenant: str
    # The version of the policy
    policy: str
    controller: str
    contact: str
    safeguards: str
    activities: list[ProcessingActivity]
    stores: list[KeptData]
    destinations: list[DataDestination]
