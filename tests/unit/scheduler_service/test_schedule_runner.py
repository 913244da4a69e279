"""Each run of a schedule becomes one task, with any number of schedulers, and when the clock is set."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.schedules import PROGRESS, SCHEDULES, Progress, Schedule
from vestibule.contracts.task_ledger import NewTask, Recorded, TaskFilter
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.tasks.ledgers.sqlite import SqliteTaskLedger
from vestibule.scheduler_service.schedule_runner import ScheduleRunner
from vestibule.service_kit.recurrence import next_turn

from .conftest import LocalEntries

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()
HOUR_S = 3600.0


class Wall:
    """A wall clock that can be set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class LocalLedger:
    """A ledger that can be unavailable, also right after it has recorded a task."""

    def __init__(self, ledger: SqliteTaskLedger) -> None:
        self._ledger = ledger
        self.is_away = self.goes_away = False
        self.refused = ""

    async def accept(self, task: NewTask) -> Recorded:
        if task.processor == self.refused:
            raise ValueError("a defect")
        if self.is_away:
            raise Unavailable("database", "away")
        (recorded,) = await self._ledger.accept([task.model_copy(update={"data": task.data or "of the key"})])
        if self.goes_away:
            raise Unavailable("database", "away")
        return recorded

    async def task_ids(self) -> list[str]:
        tasks, _ = await self._ledger.page(TaskFilter(tenant="default"), 10_000, None)
        return [task.task_id for task in reversed(tasks)]


@pytest.fixture
def wall() -> Wall:
    """A clock at noon."""
    return Wall()


@pytest.fixture
async def ledger() -> LocalLedger:
    """An empty ledger."""
    ledger = SqliteTaskLedger(MemoryStore().file)
    await ledger.prepare()
    return LocalLedger(ledger)


@pytest.fixture
def store() -> Iterator[LocalEntries]:
    """An empty store."""
    return LocalEntries(MemoryStore())


async def _keep(store: LocalEntries, number: int = 0, **times: object) -> Schedule:
    schedule = Schedule.model_validate(
        {
            "schedule_id": f"{number:032x}",
            "tenant": "default",
            "processor": "uppercase",
            "data": "hello",
            "created_at": NOON,
            "author": "tests",
            **times,
        }
    )
    await store.write(Pair(key=SCHEDULES + schedule.place, value=schedule.model_dump_json()))
    return schedule


async def _progress(store: LocalEntries, schedule: Schedule) -> Progress:
    entry = await store.find(PROGRESS + schedule.place)
    assert entry is not None
    return Progress.model_validate_json(entry.value)


def _follower(store: LocalEntries, ledger: LocalLedger, wall: Wall) -> ScheduleRunner:
    return ScheduleRunner(store, ledger, 0, wall)


async def _go_on(follower: ScheduleRunner, wall: Wall, for_s: float, step_s: float) -> None:
    for _ in range(int(for_s / step_s)):
        wall.now += step_s
        await follower.follow()


@pytest.mark.parametrize("times", [{"cron": "*/10 * * * *"}, {"every_s": 600}])
async def test_each_run_becomes_one_task_with_two_schedulers(
    store: LocalEntries, ledger: LocalLedger, wall: Wall, times: dict[str, object]
) -> None:
    """Two active at the same time, as around a change of the lease, submit each task once."""
    schedule = await _keep(store, **times)
    both = [_follower(store, ledger, wall), _follower(store, ledger, wall)]
    for _ in range(60):
        wall.now += 60
        await asyncio.gather(*(one.follow() for one in both))
    assert 6 == len(set(await ledger.task_ids())) == len(await ledger.task_ids())
    assert (NOON + HOUR_S, 6) == ((last := await _progress(store, schedule)).turn_at, last.turns)


@pytest.mark.parametrize("times", [{"cron": "*/10 * * * *"}, {"every_s": 600}])
async def test_missed_runs_are_made_up_for_once(
    store: LocalEntries, ledger: LocalLedger, wall: Wall, times: dict[str, object]
) -> None:
    """After a day without a scheduler one task is submitted at once, and the next at its time."""
    await _keep(store, **times)
    wall.now += 24 * HOUR_S + 30
    after = _follower(store, ledger, wall)
    await after.follow()
    assert 1 == len(await ledger.task_ids())
    await _go_on(after, wall, 560, 10)
    assert 1 == len(await ledger.task_ids())
    await _go_on(after, wall, 20, 10)
    assert 2 == len(await ledger.task_ids())


@pytest.mark.parametrize("times", [{"cron": "*/10 * * * *"}, {"every_s": 600}])
async def test_a_pause_is_not_made_up_for(
    store: LocalEntries, ledger: LocalLedger, wall: Wall, times: dict[str, object]
) -> None:
    """A paused schedule does not fire, and one that is resumed fires at its next time: an interval begins anew."""
    schedule = await _keep(store, **times)
    runner = _follower(store, ledger, wall)
    await _go_on(runner, wall, 600, 60)
    await _keep(store, **times, paused_at=wall.now, paused_by="tests")
    await _go_on(runner, wall, 24 * HOUR_S + 300, 100)
    assert 1 == len(await ledger.task_ids())
    progress = (await _progress(store, schedule)).model_copy(update={"resumed_at": wall.now})
    assert NOON + 600 == progress.turn_at
    await store.write(Pair(key=PROGRESS + schedule.place, value=progress.model_dump_json()))
    await _keep(store, **times)
    to_next_s = 300 if "cron" in times else 600
    await _go_on(runner, wall, to_next_s - 10, 10)
    assert 1 == len(await ledger.task_ids())
    await _go_on(runner, wall, 10, 10)
    assert (2, None) == (len(await ledger.task_ids()), (await _progress(store, schedule)).resumed_at)


async def test_a_run_without_saved_progress_is_not_repeated(
    store: LocalEntries, ledger: LocalLedger, wall: Wall
) -> None:
    """After a kill between task and progress, the next scheduler submits the same task, which exists already."""
    schedule = await _keep(store, every_s=600)
    wall.now += 600
    ledger.goes_away = True
    await _follower(store, ledger, wall).follow()
    assert 1 == len(await ledger.task_ids())
    ledger.goes_away = False
    await _follower(store, ledger, wall).follow()
    assert [(await _progress(store, schedule)).task_id] == await ledger.task_ids()


async def test_a_run_waits_while_the_ledger_is_unavailable(
    store: LocalEntries, ledger: LocalLedger, wall: Wall
) -> None:
    """No progress is saved without a recorded task; when the ledger is back, the task is submitted."""
    await _keep(store, cron="*/10 * * * *")
    follower = _follower(store, ledger, wall)
    ledger.is_away = True
    await _go_on(follower, wall, 620, 10)
    ledger.is_away = False
    await _go_on(follower, wall, 20, 10)
    assert 1 == len(await ledger.task_ids())


@pytest.mark.parametrize("set_by_s", [HOUR_S, -HOUR_S], ids=["forth", "back"])
async def test_an_interval_survives_setting_the_clock(
    store: LocalEntries, ledger: LocalLedger, wall: Wall, set_by_s: float
) -> None:
    """With the clock set by an hour no run repeats, and the next comes within one interval."""
    await _keep(store, every_s=600)
    follower = _follower(store, ledger, wall)
    await _go_on(follower, wall, 1200, 60)
    assert 2 == len(await ledger.task_ids())
    wall.now += set_by_s
    await _go_on(follower, wall, 660, 60)
    after = len(await ledger.task_ids())
    assert after in (3, 4)
    await _go_on(follower, wall, 1200, 60)
    assert after + 2 == len(set(await ledger.task_ids()))


async def test_a_cron_time_comes_once_when_the_clock_is_set(
    store: LocalEntries, ledger: LocalLedger, wall: Wall
) -> None:
    """Set back over a past time, it does not come again; set forward over one, it comes at once."""
    await _keep(store, cron="30 * * * *")
    follower = _follower(store, ledger, wall)
    await _go_on(follower, wall, 2400, 60)  # 12:40
    assert 1 == len(await ledger.task_ids())
    wall.now -= HOUR_S  # 11:40
    await _go_on(follower, wall, HOUR_S, 60)  # 12:40 again
    assert 1 == len(await ledger.task_ids())
    wall.now += HOUR_S  # 13:40, and 13:30 was left out
    await _go_on(follower, wall, 60, 60)
    assert 2 == len(await ledger.task_ids())
    await _go_on(follower, wall, HOUR_S, 60)
    assert 3 == len(await ledger.task_ids())


async def test_a_deleted_schedule_does_not_run(store: LocalEntries, ledger: LocalLedger, wall: Wall) -> None:
    """Deleted between two refreshes, it does not run once more."""
    schedule = await _keep(store, every_s=600)
    follower = ScheduleRunner(store, ledger, HOUR_S, wall)
    await _go_on(follower, wall, 600, 60)
    await store.delete(SCHEDULES + schedule.place)
    await _go_on(follower, wall, 1200, 60)
    assert 1 == len(await ledger.task_ids())


async def test_an_invalid_schedule_does_not_keep_the_others_from_running(
    store: LocalEntries, ledger: LocalLedger, wall: Wall
) -> None:
    """Neither an expression that is refused today nor a torn record ends the reading; each is logged once a version."""
    broken = await _keep(store, 1, cron="0 0 30 2 *")
    await store.write(Pair(key=SCHEDULES + "torn", value="{"))
    good = await _keep(store, 2, every_s=600)
    runner = _follower(store, ledger, wall)
    with structlog.testing.capture_logs() as lines:
        await _go_on(runner, wall, 1200, 60)
    assert [good.task_id(f"number {number}") for number in (1, 2)] == await ledger.task_ids()
    invalid = [(line["schedule"], line["error"]) for line in lines if line["event"] == "schedule_invalid"]
    assert sorted([(broken.place, "InvalidRecurrence"), ("torn", "ValidationError")]) == sorted(invalid)
    await _keep(store, 1, every_s=600)
    await _go_on(runner, wall, 60, 60)
    assert 3 == len(await ledger.task_ids())


async def test_a_schedule_that_fails_does_not_keep_the_others_from_running(
    store: LocalEntries, ledger: LocalLedger, wall: Wall
) -> None:
    """An unhandled error of one run is logged, the schedule pauses, and the others run."""
    failing = await _keep(store, 1, every_s=600, processor="broken")
    good = await _keep(store, 2, every_s=600)
    ledger.refused = "broken"
    with structlog.testing.capture_logs() as lines:
        await _go_on(_follower(store, ledger, wall), wall, 1200, 60)
    assert [good.task_id(f"number {number}") for number in (1, 2)] == await ledger.task_ids()
    assert [failing.place] == [line["schedule"] for line in lines if line["event"] == "schedule_failed"]


@pytest.mark.parametrize(("cron", "year"), [("0 0 29 2 *", 2096), ("0 0 * 2 5#5", 2064)], ids=["8 years", "28 years"])
async def test_progress_lasts_until_the_next_run(
    store: LocalEntries, ledger: LocalLedger, wall: Wall, cron: str, year: int
) -> None:
    """However far away that is: its entry expires later, or does not expire."""
    runs_at = datetime(year, 2, 29, tzinfo=UTC).timestamp()
    wall.now = runs_at - HOUR_S
    schedule = await _keep(store, cron=cron, created_at=wall.now)
    runner = _follower(store, ledger, wall)
    await runner.follow()
    wall.now = runs_at
    await runner.follow()
    entry = await store.find(PROGRESS + schedule.place)
    assert entry is not None
    next_at = next_turn(schedule, Progress.model_validate_json(entry.value))
    assert next_at is not None
    assert next_at - wall.now > 7.9 * 366 * 86_400
    # The store counts on the true clock.
    assert entry.expires_at is None or entry.expires_at.timestamp() - time.time() > next_at - wall.now
