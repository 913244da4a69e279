"""The use cases of recurring tasks: add, list, delete and erase. The scheduler service runs what is stored."""

import time
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
    SCHEDULES,
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


class ScheduleRequest(ProcessorChoice, Times):
    """A recurring task: over a text, or over the value under a key at the time it is due."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"cron": "30 6 * * 1-5", "timezone": "Europe/Berlin", "key": "test1"}],
            "allOf": [either("cron", "every_s"), either("key", "text")],
        }
    )

    priority: Priority = Field(default=Priority.NORMAL, description="Workers run all tasks of a higher priority first")
    key: Key | None = Field(default=None, description="What to process: the value under this key at the time it is due")
    text: Value | None = Field(default=None, description="What to process, instead of `key`; screened like a message")


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule and its progress."""

    schedule: Schedule
    progress: Progress | None = None
    screened: Screened | None = None


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
        keys = await self._keys(tenant)
        found = await self.database.read_readable([*keys, *(PROGRESS + key.removeprefix(SCHEDULES) for key in keys)])
        pairs = zip(found[: len(keys)], found[len(keys) :], strict=True)
        stored = [
            StoredSchedule(schedule, None if progress is None else _PROGRESS.read(progress))
            for entry, progress in pairs
            if entry is not None and (schedule := _SCHEDULES.read(entry)) is not None
        ]
        return sorted(stored, key=lambda one: one.schedule.created_at)

    async def delete(self, schedule_id: str, tenant: str) -> None:
        """Delete a schedule; tasks that it has created continue.

        Raises:
            ScheduleNotFound: the tenant has no schedule of that id.
        """
        place = place_of(tenant) + schedule_id
        if not is_schedule_id(schedule_id) or not (await self.database.delete(SCHEDULES + place)).deleted:
            raise ScheduleNotFound("No schedule has that id.")
        await self.database.delete(PROGRESS + place)

    async def remove_orphans(self, tenant: str) -> None:
        """Delete the progress of schedules that were erased."""
        known = {key.removeprefix(SCHEDULES) for key in await self._keys(tenant)}
        page = await self.database.keys(PROGRESS + place_of(tenant), MAX_BATCH, None)
        for key in page.keys:
            if key.removeprefix(PROGRESS) not in known:
                await self.database.delete(key)

    async def _keys(self, tenant: str) -> list[str]:
        return (await self.database.keys(SCHEDULES + place_of(tenant), MAX_BATCH // 2, None)).keys


_SCHEDULES, _PROGRESS = RecordReader(Schedule), RecordReader(Progress)


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
