"""Records of erasures. A running one holds the subject's value, encrypted as every entry; an ended one only counts."""

from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import ErasureInProgress, ErasureNotFound, PreconditionFailed
from vestibule.contracts.identity import Principal
from vestibule.contracts.schedules import place_of
from vestibule.contracts.subjects import ErasePage, SubjectQuery
from vestibule.database_client.entries import EntryClient, RecordReader

OWNER = Principal("~erasures")
RUNNING, FINISHED = "running/", "finished/"
# A record that is not renewed for this long, as when its encryption key is lost, holds up the next erasure no longer.
KEEP_RUNNING_S = 7 * 86_400.0
KEEP_FINISHED_S = 30 * 86_400.0


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


class ErasureRecord(BaseModel):
    """An erasure as it is stored: what to erase, how far it is, and for whom. `query` is None at the end."""

    erasure_id: str
    tenant: str
    token_id: str | None
    request_id: str | None
    query: SubjectQuery | None
    stage: int = 0
    cursor: str | None = None
    entries: ErasePage = ErasePage()
    results: ErasePage = ErasePage()
    started_at: float
    finished_at: float | None = None

    @property
    def place(self) -> str:
        """The key of the running erasure of the tenant, of which there is one."""
        return RUNNING + place_of(self.tenant)

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
        )


class ErasureRecords:
    """Stores records. A conditional write renews one, so of two processes that run the same job one stops."""

    def __init__(self, database: EntryClient) -> None:
        self._database = database
        self._reader = RecordReader(ErasureRecord)

    async def add(self, record: ErasureRecord) -> int:
        """Store a new running record, and return its version; raises `ErasureInProgress` where the tenant has one."""
        try:
            return await self.renew(record, 0)
        except PreconditionFailed:
            raise ErasureInProgress("An erasure of your tenant is in progress; retry when it has finished.") from None

    async def renew(self, record: ErasureRecord, version: int) -> int:
        """Store the progress, and return the version; raises `PreconditionFailed` where it has changed since."""
        pair = Pair(key=record.place, value=record.model_dump_json(), ttl_s=KEEP_RUNNING_S)
        return (await self._database.write(pair, Condition.of_version(version))).version

    async def finish(self, record: ErasureRecord) -> None:
        """Keep the counts of an ended erasure, and delete the running record with the value."""
        key = FINISHED + place_of(record.tenant) + record.erasure_id
        await self._database.write(Pair(key=key, value=record.model_dump_json(), ttl_s=KEEP_FINISHED_S))
        await self._database.delete(record.place)

    async def running(self) -> list[tuple[ErasureRecord, int]]:
        """Return the running records of all tenants, with their versions."""
        entries = await self._database.read_all(RUNNING)
        read = ((self._reader.read(entry), entry.version) for entry in entries)
        return [(record, version) for record, version in read if record is not None]

    async def find(self, erasure_id: str, tenant: str) -> ErasureRecord:
        """Return a record of a tenant; raises `ErasureNotFound` where there is none."""
        keys = [RUNNING + place_of(tenant), FINISHED + place_of(tenant) + erasure_id]
        for entry in await self._database.read_many(keys):
            if entry is not None:
                record = ErasureRecord.model_validate_json(entry.value)
                if record.erasure_id == erasure_id:
                    return record
        raise ErasureNotFound("No erasure has that id.")
