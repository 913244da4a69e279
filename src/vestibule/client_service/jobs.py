"""Jobs that go on after their request, over restarts: of each kind one for a tenant at a time.

The progress of a job is a record, which is renewed conditionally each second, so of two processes that run the same job
one stops. A record that does not change for longer than any page takes is continued; no clocks are compared.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import structlog
from pydantic import BaseModel

from vestibule.contracts.entries import Condition, Pair
from vestibule.contracts.errors import Conflict, NotFound, PreconditionFailed, Unavailable
from vestibule.contracts.schedules import place_of
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.runtime.background import Backoff, Jitter, cancel, in_background, repeat

RUNNING, FINISHED = "running/", "finished/"
# A record that is not renewed for this long, as when its encryption key is lost, holds up the next job no longer.
KEEP_RUNNING_S = 7 * 86_400.0
KEEP_FINISHED_S = 30 * 86_400.0
# Progress is stored this often. A job whose record does not change for longer than any page takes is continued.
SAVE_EVERY_S = 1.0
LOOK_EVERY_S = 5.0
TAKEN_OVER_AFTER_S = 20.0
RETRY_BACKOFF = Backoff(first_s=0.5, longest_s=30.0, jitter=Jitter.EQUAL)


class JobRecord(BaseModel):
    """A job as it is stored, without the members that are None: for whom, and since when.

    `finished_at` is None while it runs; `is_resumed` says that it was continued after its process had ended.
    """

    tenant: str
    token_id: str | None = None
    token_name: str | None = None
    request_id: str | None = None
    started_at: float
    finished_at: float | None = None
    is_resumed: bool = False

    @property
    def job_id(self) -> str:
        """The id of the job."""
        raise NotImplementedError

    @property
    def place(self) -> str:
        """The key of the running job of the tenant, of which there is one."""
        return RUNNING + place_of(self.tenant)

    @property
    def finished_place(self) -> str:
        """The key of the job after its end."""
        return FINISHED + place_of(self.tenant) + self.job_id

    @property
    def as_finished(self) -> Self:
        """What is kept of the job after its end."""
        return self

    def is_due_after(self, _earlier: Self) -> bool:
        """Return whether this progress is stored at once, since what a page did since `_earlier` cannot be repeated."""
        return False


Record = TypeVar("Record", bound=JobRecord)


@dataclass(frozen=True, slots=True)
class JobKind(Generic[Record]):
    """A kind of jobs: its name in the log, its records, and the errors of one that is not alone, or not known.

    `keep_finished_s` is how long the record of an ended job is kept.
    """

    name: str
    record: type[Record]
    in_progress: Callable[[], Conflict]
    unknown: Callable[[], NotFound]
    keep_finished_s: float = KEEP_FINISHED_S


class JobRecords(Generic[Record]):
    """Stores the records of a kind of jobs, encrypted as every entry."""

    def __init__(self, kind: JobKind[Record], database: EntryClient) -> None:
        self.kind = kind
        self.database = database
        self._reader = RecordReader(kind.record)

    async def add(self, record: Record) -> int:
        """Store a new running record, and return its version; raises the kind's error where the tenant has one."""
        try:
            return await self.renew(record, 0)
        except PreconditionFailed:
            raise self.kind.in_progress() from None

    async def renew(self, record: Record, version: int) -> int:
        """Store the progress, and return the version; raises `PreconditionFailed` where it has changed since."""
        pair = Pair(key=record.place, value=record.model_dump_json(exclude_none=True), ttl_s=KEEP_RUNNING_S)
        return (await self.database.write(pair, Condition.of_version(version))).version

    async def finish(self, record: Record) -> None:
        """Keep of an ended job what its record says, and delete the running one."""
        value = record.as_finished.model_dump_json(exclude_none=True)
        await self.database.write(Pair(key=record.finished_place, value=value, ttl_s=self.kind.keep_finished_s))
        await self.database.delete(record.place)

    async def running(self) -> list[tuple[Record, int]]:
        """Return the running records of all tenants, with their versions."""
        entries = await self.database.read_all(RUNNING)
        read = ((self._reader.read(entry), entry.version) for entry in entries)
        return [(record, version) for record, version in read if record is not None]

    async def find(self, job_id: str, tenant: str) -> Record:
        """Return a record of a tenant; raises the kind's error where there is none."""
        keys = [RUNNING + place_of(tenant), FINISHED + place_of(tenant) + job_id]
        for entry in await self.database.read_many(keys):
            if entry is not None:
                record = self.kind.record.model_validate_json(entry.value)
                if record.job_id == job_id:
                    return record
        raise self.kind.unknown()


class BackgroundJobs(Generic[Record]):
    """Runs jobs of a kind in the background, and continues those of processes that ended."""

    def __init__(
        self,
        records: JobRecords[Record],
        advance: Callable[[Record], Awaitable[Record]],
        conclude: Callable[[Record], Awaitable[None]],
    ) -> None:
        """Take the records; `advance` does a page, and sets `finished_at` at the end; `conclude` does what follows."""
        self._records = records
        self._advance_page = advance
        self._conclude = conclude
        self._running: dict[str, asyncio.Task[None]] = {}
        # By job: the version that was seen last, and when it was seen first.
        self._seen: dict[str, tuple[int, float]] = {}
        self._log = structlog.get_logger("vestibule.jobs").bind(kind=records.kind.name)

    def start(self, record: Record, version: int) -> asyncio.Task[None]:
        """Run a job whose record is stored with that version."""
        job = asyncio.create_task(self._run(record, version))
        self._running[record.job_id] = job
        job.add_done_callback(lambda _job: self._running.pop(record.job_id, None))
        return job

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Continue in the background what other processes have left; stop all at the end."""
        errors: dict[str, Any] = {"on_error": self._log_error, "outages": (Unavailable,), "error_pause_s": LOOK_EVERY_S}
        async with in_background(repeat(self._continue_abandoned, **errors)):
            yield
        await cancel(list(self._running.values()))

    async def _run(self, record: Record, version: int) -> None:
        """Work until the end. What fails is tried again; another process that continues the job stops this one."""
        failures = 0
        while True:
            try:
                if record.finished_at is not None:
                    await self._conclude(record)
                    return await self._records.finish(record)
                record, version = await self._advance(record, version)
                failures = 0
            except PreconditionFailed:
                return None
            except Exception as error:  # noqa: BLE001 - without a retry its tenant could start no other
                failures += 1
                if failures == 1:
                    self._log_error(error)
                await asyncio.sleep(RETRY_BACKOFF.delay_s(failures))

    async def _advance(self, record: Record, version: int) -> tuple[Record, int]:
        """Work for a second, or until the progress is due to be stored, and store it, or the end."""
        ends = time.monotonic() + SAVE_EVERY_S
        while True:
            earlier, record = record, await self._advance_page(record)
            if record.finished_at is not None or record.is_due_after(earlier) or time.monotonic() >= ends:
                return record, await self._records.renew(record, version)

    async def _continue_abandoned(self) -> float:
        found = await self._records.running()
        now = time.monotonic()
        seen = {}
        for record, version in found:
            last_version, since = self._seen.get(record.job_id, (version, now))
            if version != last_version:
                since = now
            seen[record.job_id] = (version, since)
            if record.job_id not in self._running and now - since >= TAKEN_OVER_AFTER_S:
                # Of several processes one claims it.
                with suppress(PreconditionFailed):
                    resumed = record.model_copy(update={"is_resumed": True})
                    self.start(resumed, await self._records.renew(resumed, version))
                    self._log.info("background_job_continued")
        self._seen = seen
        return LOOK_EVERY_S

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which is logged elsewhere; the job goes on
            self._log.error("background_job_failed", exc_info=error)
