"""Runs schedules: each due time becomes exactly one task in the ledger, however often it is tried.

A run has a name that determines the id of its task, so submitting a task twice records it once. A run of a cron
expression is named by its time, one of an interval by its number, so neither repeats when the clock is set back. Of the
runs missed while no scheduler was active, only the last one is run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from vestibule.contracts.entries import MAX_TTL_S, Condition, Entry, Pair
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.schedules import PROGRESS, SCHEDULES, Progress, Schedule
from vestibule.contracts.task_ledger import NewTask, Recorded, TaskEvent, TaskEventKind
from vestibule.database_client.entries import EntryClient
from vestibule.service_kit.recurrence import Crontab, next_turn

# Progress is kept until the next run, and for a year without any scheduler after that.
PROGRESS_KEPT_AFTER_RUN_S = 366 * 86_400.0
# A schedule that fails is tried again after this long; it does not keep the others from running.
FAILURE_PAUSE_S = 60.0
CLOCK_TOLERANCE_S = 2.0


class TaskSink(Protocol):
    """Records tasks."""

    async def accept(self, task: NewTask) -> Recorded:
        """Record a task; it is on disk then, unless its key is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class KnownSchedule:
    """A schedule as it was last read, with the versions of its entries and the time of its next run."""

    schedule: Schedule
    progress: Progress | None
    versions: tuple[int, int]
    next_at: float | None


class ScheduleRunner:
    """Reads all schedules regularly, and submits the tasks that are due."""

    def __init__(
        self, store: EntryClient, tasks: TaskSink, read_every_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._read_every_s = read_every_s
        self._clock = clock
        self._read_at = float("-inf")
        self._known: dict[str, KnownSchedule] = {}
        self._invalid: dict[str, tuple[int, int]] = {}
        self._paused_until: dict[str, float] = {}
        self._is_delayed = False
        self._log = structlog.get_logger("vestibule.schedules")

    async def follow(self) -> None:
        """Submit a task for each schedule that is due; if the store is unavailable, later."""
        try:
            if time.monotonic() - self._read_at >= self._read_every_s:
                await self.read()
            for place, known in list(self._known.items()):
                if self._is_due(place, known):
                    await self._try_to_run(place)
            self._is_delayed = False
        except Unavailable as error:
            if not self._is_delayed:  # logged once for each time that the store is unavailable
                self._log.warning("schedules_postponed", part=error.extra.get("part", "database"))
            self._is_delayed = True

    async def read(self) -> None:
        """Read all schedules and their progress. Raises `Unavailable` if the store does not answer."""
        schedules = {entry.key.removeprefix(SCHEDULES): entry for entry in await self._store.read_all(SCHEDULES)}
        progress = {entry.key.removeprefix(PROGRESS): entry for entry in await self._store.read_all(PROGRESS)}
        found = {place: self._know_valid(place, entry, progress.get(place)) for place, entry in schedules.items()}
        self._known = {place: known for place, known in found.items() if known is not None}
        self._invalid = {place: versions for place, versions in self._invalid.items() if place in schedules}
        self._read_at = time.monotonic()

    def _know_valid(self, place: str, entry: Entry, progress_entry: Entry | None) -> KnownSchedule | None:
        """Return the schedule, None if it is invalid, which is logged once for each version."""
        try:
            return self._know(place, entry, progress_entry)
        except ValueError as error:  # `InvalidRecurrence`, or a record that another version wrote
            versions = _versions(entry, progress_entry)
            if self._invalid.get(place) != versions:
                self._invalid[place] = versions
                self._log.error("schedule_invalid", schedule=place, error=type(error).__name__)
            return None

    def _know(self, place: str, entry: Entry, progress_entry: Entry | None) -> KnownSchedule:
        versions = _versions(entry, progress_entry)
        known = self._known.get(place)
        if known is not None and known.versions == versions:
            return known
        schedule = Schedule.model_validate_json(entry.value)
        progress = None if progress_entry is None else Progress.model_validate_json(progress_entry.value)
        return KnownSchedule(schedule, progress, versions, next_turn(schedule, progress))

    def _is_due(self, place: str, known: KnownSchedule) -> bool:
        now = self._clock()
        if time.monotonic() < self._paused_until.get(place, 0.0):
            return False
        return known.next_at is not None and (known.next_at <= now or _is_delayed_by_clock(known, now))

    async def _try_to_run(self, place: str) -> None:
        try:
            await self._run_due(place)
            self._paused_until.pop(place, None)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one schedule must not keep the others from running
            self._paused_until[place] = time.monotonic() + FAILURE_PAUSE_S
            self._log.error("schedule_failed", schedule=place, exc_info=error)

    async def _run_due(self, place: str) -> None:
        """Submit the task that is due, by the current state of the store."""
        entry, progress_entry = await self._store.read_readable([SCHEDULES + place, PROGRESS + place])
        if entry is None:
            self._known.pop(place, None)
            return
        current = self._know_valid(place, entry, progress_entry)
        if current is None:
            self._known.pop(place, None)
            return
        known = self._known[place] = current
        now = self._clock()
        turn = _turn_of(known, now)
        if turn is None:
            if known.next_at is not None and _is_delayed_by_clock(known, now):
                await self._save_progress(
                    place, known, Progress(turn_at=now, turns=_turns(known), task_id=_task_id(known))
                )
            return
        name, turn_at = turn
        schedule = known.schedule
        recorded = await self._tasks.accept(_task(schedule, schedule.task_id(name), now))
        task_id = None if recorded.is_key_unknown else recorded.task_id
        await self._save_progress(place, known, Progress(turn_at=turn_at, turns=_turns(known) + 1, task_id=task_id))
        self._log_run(schedule, task_id, late_s=round(now - turn_at, 1))

    async def _save_progress(self, place: str, known: KnownSchedule, progress: Progress) -> None:
        condition = Condition.of_version(known.versions[1])
        next_at = next_turn(known.schedule, progress)
        try:
            pair = Pair(key=PROGRESS + place, value=progress.model_dump_json(), ttl_s=self._ttl_s(next_at))
            version = (await self._store.write(pair, condition)).version
        except PreconditionFailed:
            # Another scheduler has submitted the same task; read its progress.
            self._read_at = float("-inf")
            return
        self._known[place] = KnownSchedule(known.schedule, progress, (known.versions[0], version), next_at)

    def _ttl_s(self, next_at: float | None) -> float | None:
        ttl_s = max(0.0, (next_at or 0.0) - self._clock()) + PROGRESS_KEPT_AFTER_RUN_S
        # February 29 on a given weekday is up to 40 years away, longer than any entry with an expiry is kept. Progress
        # without an expiry is deleted with its schedule.
        return ttl_s if ttl_s <= MAX_TTL_S else None

    def _log_run(self, schedule: Schedule, task_id: str | None, late_s: float) -> None:
        terms = schedule.terms
        log = self._log.bind(
            request_id=terms.request_id, token_id=terms.origin.token_id, token_name=terms.origin.token_name
        )
        if task_id is None:
            log.warning("schedule_without_value", schedule_id=schedule.schedule_id, late_s=late_s)
        else:
            log.info("schedule_fired", schedule_id=schedule.schedule_id, task_id=task_id, late_s=late_s)


def _turn_of(known: KnownSchedule, now: float) -> tuple[str, float] | None:
    """Return name and time of the run that is due, of several the last."""
    schedule = known.schedule
    if schedule.paused_at is not None:
        return None
    last_at = schedule.created_at if known.progress is None else known.progress.counts_from
    if schedule.every_s is not None:
        passed = int((now - last_at) // schedule.every_s)
        return None if passed < 1 else (f"number {_turns(known) + 1}", last_at + passed * schedule.every_s)
    crontab = Crontab(schedule.cron or "", schedule.timezone)
    due = crontab.last_until(datetime.fromtimestamp(now, UTC), datetime.fromtimestamp(last_at, UTC))
    return None if due is None else (f"at {due.timestamp():.0f}", due.timestamp())


def _is_delayed_by_clock(known: KnownSchedule, now: float) -> bool:
    """Say whether a clock that was set back has delayed an interval, which then counts from now on."""
    every_s, next_at = known.schedule.every_s, known.next_at
    return every_s is not None and next_at is not None and next_at - now > every_s + CLOCK_TOLERANCE_S


def _versions(entry: Entry, progress_entry: Entry | None) -> tuple[int, int]:
    return entry.version, 0 if progress_entry is None else progress_entry.version


def _turns(known: KnownSchedule) -> int:
    return 0 if known.progress is None else known.progress.turns


def _task_id(known: KnownSchedule) -> str | None:
    return None if known.progress is None else known.progress.task_id


def _task(schedule: Schedule, task_id: str, now: float) -> NewTask:
    return NewTask(
        task_id=task_id,
        tenant=schedule.tenant,
        processor=schedule.processor,
        priority=schedule.priority,
        data=schedule.data,
        key=schedule.key,
        terms=schedule.terms,
        request_id=schedule.terms.request_id,
        token_id=schedule.terms.origin.token_id,
        token_name=schedule.terms.origin.token_name,
        event=TaskEvent(kind=TaskEventKind.SCHEDULED, at=now, reference=schedule.schedule_id),
        submitted_at=now,
        due_in_s=0,
    )
