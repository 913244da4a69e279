"""Entries, and what adding, reading and deleting them answers."""

from dataclasses import field
from datetime import datetime

from vestibule.client.decoding import Result, result
from vestibule.client.results.findings import TreatedFinding


@result
class Entry(Result):
    """A stored pair with the version it was written as."""

    key: str
    value: str = field(repr=False)
    version: int
    # When the entry expires; absent if it does not
    expires_at: datetime | None = None


@result
class EntryBatch(Result):
    """The entries under some keys, in the order of the request; None if there is none."""

    entries: list[Entry | None]


@result
class AddedEntry(Result):
    """An entry that is on disk, and the decision about it."""

    status: str = "written"
    key: str
    # 1 for the first write of a key, increased by one with each write
    version: int
    # When the entry expires; absent if it does not
    expires_at: datetime | None = None
    # What the policy accepted, changed or unchanged
    findings: list[TreatedFinding]
    # In a dry run: the strictest action that would have been taken
    would_have: str | None = None
    # The decision; with findings, `GET /decisions` lists it
    decision_id: str
    # With `Prefer: receipt`: the decision, signed. A compact JWS; `vestibule receipt verify` or any JOSE library
    # checks it
    receipt: str | None = None


@result
class SubmittedForm(AddedEntry):
    """A form that is on disk, and the decision about it; a finding names its field."""

    # The task that processes it, if the form has a processor
    task_id: str | None = None
    # Path of the status of that task
    status_url: str | None = None


@result
class AddedEntries(Result):
    """Entries that are on disk, in the order of the request, and the decision about each."""

    added: list[AddedEntry]


@result
class DeletedEntry(Result):
    """The reply to a delete."""

    key: str
    # False if there was no entry
    deleted: bool


@result
class Revision(Result):
    """A change of an entry: when, and by which token."""

    version: int
    kind: str
    at: datetime
    # The id of the token; absent if it was a service
    by: str | None = None
    # Absent if it was deleted or has expired
    value: str | None = field(default=None, repr=False)
    # When the entry expires; absent if it does not
    expires_at: datetime | None = None


@result
class History(Result):
    """The history of an entry since its last deletion or expiry, newest first."""

    key: str
    revisions: list[Revision]


@result
class KeyPage(Result):
    """Keys in order, and where the next page starts."""

    keys: list[str]
    # Pass it as `cursor` for the next page; absent on the last
    cursor: str | None = None


@result
class EntryChange(Result):
    """A change of an entry in a stream.

    `kind` is `written`, `deleted` or `expired`; or `reset`, without key and version: changes are lost, read again.
    """

    kind: str
    key: str | None = None
    version: int | None = None
    # The stream resumes after it
    event_id: str | None = None
