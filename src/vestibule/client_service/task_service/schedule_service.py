"""The use cases of recurring tasks: keep one, list them, delete one. The scheduler service follows what is stored."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from pydantic import ConfigDict, Field

from vestibule.client_service.intake.operation import operation_of_request
from vestibule.client_service.intake.requests import ProcessorChoice
from vestibule.client_service.intake.work import situation_of_result, terms_of
from vestibule.client_service.screening.screener import Screened, Screener
from vestibule.contracts.entries import MAX_BATCH, Key, Pair, Value
from vestibule.contracts.errors import InvalidInput, ScheduleNotFound
from vestibule.contracts.identity import Principal
from vestibule.contracts.schedules import (
    MOST_OF_A_TENANT,
    OWNER,
    PROGRESS,
    SCHEDULES,
    Progress,
    Schedule,
    Times,
    is_schedule_id,
    place_of,
)
from vestibule.contracts.subjects import ErasePage, SubjectSearch
from vestibule.contracts.tasks import Priority
from vestibule.database_client.entries import EntryClient
from vestibule.policy import Situation
from vestibule.policy.policy import OPTIONS_FIELD
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.recurrence import InvalidRecurrence, check_crontab


class ScheduleRequest(ProcessorChoice, Times):
    """A task that shall recur: over a text, or over what stands under a key when its time has come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cron": "30 6 * * 1-5", "timezone": "Europe/Berlin", "key": "test1"}]}
    )

    priority: Priority = Field(default=Priority.NORMAL, description="Workers do all of a higher one before any other")
    key: Key | None = Field(default=None, description="What to process: the value that stands there at that time")
    text: Value | None = Field(default=None, description="What to process, instead of `key`; checked as a message is")


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule, and how far it has come."""

    schedule: Schedule
    progress: Progress | None = None
    screened: Screened | None = None


class ScheduleService:
    """Serves callers. Every method raises `Unavailable` where the store does not answer."""

    def __init__(
        self, database_of: Callable[[Principal], EntryClient], screener: Screener, processors: ProcessorRegistry
    ) -> None:
        self._database = database_of(OWNER)
        self._screener = screener
        self._processors = processors

    async def add(self, request: ScheduleRequest, sender: Situation) -> StoredSchedule:
        """Check and keep a schedule; it is on disk then.

        Raises:
            InvalidInput: it never comes, has nothing to process, or there are too many.
            UnknownProcessor: no processor goes by that name.
            PersonalDataFound: the policy does not let its text in, its options or the key of its results.
        """
        _refuse_impossible(request)
        self._processors.read_options(request.processor, request.options)
        if len(await self._keys(sender.tenant)) >= MOST_OF_A_TENANT:
            raise InvalidInput(f"There are {MOST_OF_A_TENANT} schedules, the maximum; delete some first.")
        screened = await self._screen(request, situation_of_result(request, sender))
        known_id = operation_of_request()
        schedule = Schedule(
            **request.model_dump(exclude={"text", "options", "write_to"}),
            terms=terms_of(request, sender, request.key),
            data=None if screened is None else screened.text,
            schedule_id=(uuid4() if known_id is None else UUID(known_id)).hex,
            tenant=sender.tenant,
            created_at=time.time(),
            author=sender.token_name or "",
        )
        await self._database.write(Pair(key=SCHEDULES + schedule.place, value=schedule.model_dump_json()))
        return StoredSchedule(schedule, screened=screened)

    async def _screen(self, request: ScheduleRequest, situation: Situation) -> Screened | None:
        if request.text is not None:
            return await self._screener.screen(situation, "text", request.text, request.options_text)
        if request.options_text is not None or request.write_to is not None:
            await self._screener.screen(situation, OPTIONS_FIELD, request.options_text or "")
        return None

    async def list_all(self, tenant: str) -> list[StoredSchedule]:
        """Return a tenant's schedules, the oldest first."""
        keys = await self._keys(tenant)
        found = await self._database.read_many([*keys, *(PROGRESS + key.removeprefix(SCHEDULES) for key in keys)])
        pairs = zip(found[: len(keys)], found[len(keys) :], strict=True)
        stored = [
            StoredSchedule(
                Schedule.model_validate_json(schedule.value),
                None if progress is None else Progress.model_validate_json(progress.value),
            )
            for schedule, progress in pairs
            if schedule is not None
        ]
        return sorted(stored, key=lambda one: one.schedule.created_at)

    async def delete(self, schedule_id: str, tenant: str) -> None:
        """Have no more tasks made of a schedule; those that were made go on.

        Raises:
            ScheduleNotFound: no schedule of that id is stored for that tenant.
        """
        place = place_of(tenant) + schedule_id
        if not is_schedule_id(schedule_id) or not (await self._database.delete(SCHEDULES + place)).deleted:
            raise ScheduleNotFound("No schedule has that id.")
        await self._database.delete(PROGRESS + place)

    async def erase(self, tenant: str, search: SubjectSearch) -> ErasePage:
        """Delete the schedules of a tenant in whose texts a subject is found."""
        stored = await self.list_all(tenant)
        hit = [one.schedule for one in stored if await search.finds_among(_text_of(one.schedule))]
        for schedule in hit:
            await self.delete(schedule.schedule_id, tenant)
        return ErasePage(examined=len(stored), erased=len(hit))

    async def _keys(self, tenant: str) -> list[str]:
        return (await self._database.keys(SCHEDULES + place_of(tenant), MAX_BATCH // 2, None)).keys


def _refuse_impossible(request: ScheduleRequest) -> None:
    if (request.key is None) == (request.text is None):
        raise _mistake("body", "must have a key or a text, not both")
    if request.cron is None:
        return
    try:
        check_crontab(request.cron, request.timezone, datetime.now(UTC))
    except InvalidRecurrence as error:
        raise _mistake("body/cron", str(error)) from None


def _mistake(where: str, expected: str) -> InvalidInput:
    mistake = {"where": where, "kind": "schedule", "expected": expected}
    return InvalidInput(f"The request is not valid. Check: {where}.", errors=[mistake])


def _text_of(schedule: Schedule) -> str:
    """Return all that a caller said in a schedule."""
    terms = "" if schedule.terms is None else json.dumps([schedule.terms.options, schedule.terms.write_to])
    return f"{schedule.data or ''}\n{terms}"
