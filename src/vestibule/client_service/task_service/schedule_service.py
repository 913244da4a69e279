"""The use cases of recurring tasks: add, list, find, delete and erase. The scheduler service runs what is stored."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import ConfigDict, Field

from vestibule.client_service.intake.work import ProcessorChoice, operation_id
from vestibule.client_service.screening.screener import Screened, Screener
from vestibule.contracts.entries import MAX_BATCH, Key, Pair, Value
from vestibule.contracts.errors import InvalidInput, ScheduleNotFound
from vestibule.contracts.json_types import either
from vestibule.contracts.schedules import (
    MOST_OF_A_TENANT,
    PROGRESS,
    RUNS,
    SCHEDULES,
    ManualRuns,
    Progress,
    Schedule,
    Times,
    is_schedule_id,
    place_of,
)
from vestibule.contracts.tasks import Priority
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.policy import Situation
from vestibule.policy.policy import KEY_FIELD, OPTIONS_FIELD
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.recurrence import InvalidRecurrence, UnknownTimeZone, check_crontab

# The prefixes of what is stored of a schedule; the first is the schedule itself.
KINDS = (SCHEDULES, PROGRESS, RUNS)


class ScheduleRequest(ProcessorChoice, Times):
    """A recurring task: over a text, or over the value under a key at the time it is due."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"cron": "30 6 * * 1-5", "timezone": "Europe/Berlin", "key": "test1"}],
            "allOf": [either("cron", "every_s"), either("key", "text")],
        }
    )

    priority: Priority = Field(
        default=Priority.NORMAL, description="Workers run all tasks of the tenant that have a higher priority first"
    )
    key: Key | None = Field(default=None, description="What to process: the value under this key at the time it is due")
    text: Value | None = Field(default=None, description="What to process, instead of `key`; screened like a message")


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule, its progress and the runs that callers asked for, with the versions of their entries."""

    schedule: Schedule
    progress: Progress | None = None
    manual: ManualRuns | None = None
    screened: Screened | None = None
    versions: tuple[int, int, int] = (0, 0, 0)

    @property
    def turns(self) -> int:
        """How often it was due, or run because a caller asked for it."""
        return (self.progress.turns if self.progress else 0) + (self.manual.runs if self.manual else 0)

    @property
    def last_task_id(self) -> str | None:
        """The task of the last run of either kind."""
        last = self._last
        return last.task_id if last else None

    @property
    def last_at(self) -> float | None:
        """When the last run of either kind was due."""
        last = self._last
        if last is None:
            return None
        return last.at if isinstance(last, ManualRuns) else last.turn_at

    @property
    def _last(self) -> Progress | ManualRuns | None:
        # A schedule that was resumed and has not fired yet has progress without a run.
        progress = self.progress if self.progress is not None and self.progress.turns else None
        if progress is None or self.manual is None:
            return self.manual or progress
        return self.manual if self.manual.at >= progress.turn_at else progress


@dataclass(frozen=True, slots=True)
class ScheduleService:
    """Stores schedules. Every method raises `Unavailable` if the store does not answer."""

    database: EntryClient
    screener: Screener
    processors: ProcessorRegistry

    async def add(self, request: ScheduleRequest, sender: Situation) -> StoredSchedule:
        """Screen and store a schedule; it is on disk when this returns.

        Raises:
            InvalidInput: it never fires, has nothing to process, or there are too many.
            UnknownProcessor: there is no such processor.
            PersonalDataFound: the policy rejects its text, its options, its key or the key of its results.
        """
        _validate_recurrence(request)
        self.processors.read_options(request.processor, request.options)
        if len(await self._keys(sender.tenant)) >= MOST_OF_A_TENANT:
            raise InvalidInput(f"There are {MOST_OF_A_TENANT} schedules, the maximum; delete some first.")
        if request.key is not None:
            # An entry may be stored under it later, or never.
            await self.screener.screen(sender._replace(key=request.key), KEY_FIELD, request.key)
        situation, screened = request.situation_of_result(sender), None
        if request.text is not None:
            screened = await self.screener.screen(situation, "text", request.text, request.options_text)
        elif request.options or request.write_to is not None:
            await self.screener.screen(situation, OPTIONS_FIELD, request.options_text or "")
        schedule = Schedule(
            **request.model_dump(exclude={"text", "options", "write_to"}),
            terms=request.terms_for(sender, request.key),
            data=None if screened is None else screened.text,
            schedule_id=UUID(operation_id.get() or str(uuid4())).hex,
            tenant=sender.tenant,
            created_at=time.time(),
            author=sender.token_name or "",
        )
        await self.database.write(Pair(key=SCHEDULES + schedule.place, value=schedule.model_dump_json()))
        return StoredSchedule(schedule, screened=screened)

    async def list_all(self, tenant: str) -> list[StoredSchedule]:
        """Return a tenant's schedules, oldest first."""
        places = [key.removeprefix(SCHEDULES) for key in await self._keys(tenant)]
        return sorted(await self._read(places), key=lambda one: one.schedule.created_at)

    async def find(self, schedule_id: str, tenant: str) -> StoredSchedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: the tenant has no schedule of that id.
        """
        found = await self._read([place_of(tenant) + schedule_id]) if is_schedule_id(schedule_id) else []
        if not found:
            raise ScheduleNotFound("No schedule has that id.")
        return found[0]

    async def _read(self, places: Sequence[str]) -> list[StoredSchedule]:
        """Return the schedules at these places that are there and can be read, in order."""
        found = await self.database.read_readable([kind + place for kind in KINDS for place in places])
        count = len(places)
        entries = zip(found[:count], found[count : 2 * count], found[2 * count :], strict=True)
        return [
            StoredSchedule(
                schedule,
                None if progress is None else _PROGRESS.read(progress),
                None if manual is None else _MANUAL.read(manual),
                versions=(entry.version, progress.version if progress else 0, manual.version if manual else 0),
            )
            for entry, progress, manual in entries
            if entry is not None and (schedule := _SCHEDULES.read(entry)) is not None
        ]

    async def delete(self, schedule_id: str, tenant: str) -> None:
        """Delete a schedule; tasks that it has created continue.

        Raises:
            ScheduleNotFound: the tenant has no schedule of that id.
        """
        place = place_of(tenant) + schedule_id
        if not is_schedule_id(schedule_id) or not (await self.database.delete(SCHEDULES + place)).deleted:
            raise ScheduleNotFound("No schedule has that id.")
        for kind in KINDS[1:]:
            await self.database.delete(kind + place)

    async def remove_orphans(self, tenant: str) -> None:
        """Delete the progress and the runs of schedules that were erased."""
        known = {key.removeprefix(SCHEDULES) for key in await self._keys(tenant)}
        for kind in KINDS[1:]:
            page = await self.database.keys(kind + place_of(tenant), MAX_BATCH, None)
            for key in page.keys:
                if key.removeprefix(kind) not in known:
                    await self.database.delete(key)

    async def _keys(self, tenant: str) -> list[str]:
        return (await self.database.keys(SCHEDULES + place_of(tenant), MAX_BATCH // len(KINDS), None)).keys


_SCHEDULES, _PROGRESS, _MANUAL = RecordReader(Schedule), RecordReader(Progress), RecordReader(ManualRuns)


def _validate_recurrence(request: ScheduleRequest) -> None:
    if (request.key is None) == (request.text is None):
        raise _mistake("body", "must have exactly one of `key` and `text`")
    try:
        # The zone is stored with an interval too.
        check_crontab("@daily" if request.cron is None else request.cron, request.timezone, datetime.now(UTC))
    except InvalidRecurrence as error:
        field = "timezone" if isinstance(error, UnknownTimeZone) else "cron"
        raise _mistake(f"body/{field}", str(error)) from None


def _mistake(where: str, expected: str) -> InvalidInput:
    mistake = {"where": where, "kind": "schedule", "expected": expected}
    return InvalidInput(f"The request is not valid. Check: {where}.", errors=[mistake])
