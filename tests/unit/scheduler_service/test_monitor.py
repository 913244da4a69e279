"""An outage raises one alert, its end another; a planned outage or one with another cause raises none."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from vestibule.alerts import AlertEngine
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.scheduler_service.availability.availability_history import HOUR
from vestibule.scheduler_service.availability.monitor import AvailabilityMonitor, MonitorRules
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.parts import IncidentKind, PartState, Thresholds
from vestibule.scheduler_service.availability.probes import ProbeResult
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.lease import Lease

from .conftest import FallbackLocks, LocalEntries, RecordingChannel, SteadyClock

TIMEOUT_S = 0.1
DOWN, BACK = "ServiceDown", "ServiceRecovered"


class Scripted:
    """A probe with scripted answers: a result, a truth value, an error to raise, or None to hang."""

    def __init__(self, *answers: ProbeResult | bool | Exception | None) -> None:
        self.answers = list(answers)

    async def __call__(self) -> ProbeResult:
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, ProbeResult) else ProbeResult(bool(answer))


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The log lines of the test."""
    with structlog.testing.capture_logs() as captured:
        yield captured


class Scheduler:
    """The monitoring of one scheduler; another instance is the next process on the same store."""

    def __init__(self, store: LocalEntries, alerts: AlertEngine, /, grace_s: float = 0, **probes: Scripted) -> None:
        self.lease = Lease(store, FallbackLocks(), "a:1", 15, SteadyClock())
        parts = ("client", "database", "store", "business_logic", "console", "queue", "workers", "backlog")
        self.monitor_state = MonitorState(store, self.lease, {part: part in probes for part in parts})
        self.planned: set[str] = set()
        rules = MonitorRules(Thresholds(), {"client": Thresholds(misses_until_down=1)}, TIMEOUT_S, grace_s)
        self.monitor = AvailabilityMonitor(
            probes, self.monitor_state, alerts, rules, is_planned=lambda part, _at: part in self.planned
        )

    async def probe(self, *parts: str) -> None:
        await self.lease.keep()
        for part in parts:
            await self.monitor.probe(part)

    def state(self, part: str) -> PartState:
        return self.monitor_state.parts[part].state


Start = Callable[..., Scheduler]


@pytest.fixture
def start(store: LocalEntries, alerts: AlertEngine, lines: list[Any]) -> Start:
    """Starts a scheduler with the given probes."""
    return lambda **options: Scheduler(store, alerts, **options)


async def test_three_misses_are_one_alert_and_the_recovery_is_one(start: Start, kept: RecordingChannel) -> None:
    """A longer outage and more answers raise no more; both have the part as their subject."""
    scheduler = start(database=Scripted(True, False, OSError("refused"), None, False, False, True, True))
    await scheduler.probe(*["database"] * 8)
    assert [DOWN, BACK] == kept.types
    assert ["database", "database"] == [alert.subject for alert in kept.alerts]
    assert all(alert.description.startswith("database ") for alert in kept.alerts)
    assert "3 probes" in kept.alerts[0].description
    assert " since 20" in kept.alerts[1].description


async def test_fewer_misses_are_no_alert(start: Start, kept: RecordingChannel) -> None:
    """Two misses, however often, raise no alert."""
    scheduler = start(database=Scripted(*[True, False, False] * 4))
    await scheduler.probe(*["database"] * 12)
    assert [] == kept.alerts


async def test_a_part_can_have_thresholds_of_its_own(start: Start, kept: RecordingChannel) -> None:
    """One miss is enough for a part with that threshold."""
    await start(client=Scripted(False)).probe("client")
    assert [DOWN] == kept.types


async def test_each_part_is_monitored_on_its_own(start: Start, kept: RecordingChannel) -> None:
    """The misses of one part are not counted for another."""
    scheduler = start(database=Scripted(*[False] * 2), queue=Scripted(*[False] * 2))
    await scheduler.probe(*["database", "queue"] * 2)
    assert [] == kept.alerts


async def test_a_part_that_starts_may_take_its_time(start: Start, kept: RecordingChannel) -> None:
    """Within the grace it is not down, its misses do not count, and it is monitored from its first answer on."""
    scheduler = start(grace_s=60, workers=Scripted(False, False, False, False, True, False, False, False))
    await scheduler.probe(*["workers"] * 5)
    assert ([], 1.0) == (kept.types, scheduler.monitor_state.history.availability("workers", HOUR, now()))
    await scheduler.probe(*["workers"] * 3)
    assert [DOWN] == kept.types


async def test_a_part_that_is_switched_off_is_not_probed(start: Start) -> None:
    """It is shown as off."""
    assert PartState.OFF is start(database=Scripted()).state("business_logic")


async def test_every_probe_is_one_line(start: Start, lines: list[Any]) -> None:
    """A line says which part, whether it answered and how fast; a miss is a warning and quotes no error."""
    scheduler = start(database=Scripted(True, OSError("redis://user:secret@host"), None))
    await scheduler.probe(*["database"] * 3)
    probes = [line for line in lines if line["event"] == "probe"]
    assert [("info", True), ("warning", False), ("warning", False)] == [
        (line["log_level"], line["answered"]) for line in probes
    ]
    assert {"database"} == {line["part"] for line in probes}
    assert probes[2]["latency_ms"] >= TIMEOUT_S * 900
    assert "secret" not in str(lines)


async def test_an_outage_with_another_cause_is_alerted_when_that_is_over(start: Start, kept: RecordingChannel) -> None:
    """While Redis is down its own alert is enough; workers that are still down after its recovery raise one."""
    scheduler = start(queue=Scripted(*[False] * 4, True, True), workers=Scripted(*[False] * 6))
    await scheduler.probe(*["queue", "workers"] * 4)
    assert [("ServiceDown", "queue")] == [(alert.type, alert.subject) for alert in kept.alerts]
    await scheduler.probe(*["queue", "workers"] * 2)
    told = [(alert.type.value, alert.subject) for alert in kept.alerts[1:]]
    assert [(BACK, "queue"), (DOWN, "workers")] == told


async def test_a_planned_outage_is_alerted_after_its_window(start: Start, kept: RecordingChannel) -> None:
    """In a window there is no alert and no probe counts; a part that is still down after it raises one."""
    scheduler = start(database=Scripted(True, *[False] * 6, True))
    await scheduler.probe("database")
    scheduler.planned = {"database"}
    await scheduler.probe(*["database"] * 4)
    history, at = scheduler.monitor_state.history, now()
    assert ([], 1.0) == (kept.types, history.availability("database", HOUR, at))
    assert 4 == history.sum_up("database", at - HOUR, at).planned
    assert [True] == [incident.is_planned for incident in scheduler.monitor_state.incidents.listed]
    scheduler.planned = set()
    await scheduler.probe("database")
    assert [DOWN] == kept.types


async def test_an_outage_within_a_window_raises_no_alert(start: Start, kept: RecordingChannel) -> None:
    """Neither its beginning nor its end."""
    scheduler = start(database=Scripted(True, *[False] * 4, True))
    scheduler.planned = {"database"}
    await scheduler.probe(*["database"] * 6)
    assert ([], PartState.UP) == (kept.types, scheduler.state("database"))


async def test_a_stalled_queue_has_an_alert_of_its_own(start: Start, kept: RecordingChannel) -> None:
    """A queue is not down: it is stalled, and processed again."""
    stalled = ProbeResult(is_up=False, note="7 waiting, the next for 61 s")
    scheduler = start(queue=Scripted(*[True] * 4), backlog=Scripted(True, stalled, stalled, stalled, True))
    await scheduler.probe("queue", *["backlog"] * 5)
    assert ["QueueStalled", "QueueRecovered"] == kept.types
    assert "7 waiting" in kept.alerts[0].description


async def test_an_outage_outlives_the_scheduler(start: Start, kept: RecordingChannel) -> None:
    """The next scheduler raises no second alert, and one for its end."""
    await start(database=Scripted(True, *[False] * 3)).probe(*["database"] * 4)
    after = start(database=Scripted(False, False, False, True))
    await after.probe("database")
    assert PartState.DOWN is after.state("database")
    await after.probe(*["database"] * 3)
    assert [DOWN, BACK] == kept.types
    assert [True] == [incident.ended is not None for incident in after.monitor_state.incidents.listed]


async def test_the_history_outlives_the_scheduler(start: Start) -> None:
    """Availability includes all counts up to the last save."""
    first = start(database=Scripted(True, False, True, True))
    await first.probe(*["database"] * 4)
    await first.monitor_state.save()
    after = start(database=Scripted(True))
    await after.probe("database")
    assert 4 / 5 == after.monitor_state.history.availability("database", HOUR, now())


async def test_monitoring_goes_on_without_the_store(start: Start, store: LocalEntries, kept: RecordingChannel) -> None:
    """It counts and alerts while the store is unavailable, and saves everything once when it is back."""
    store.is_away = True
    scheduler = start(store=Scripted(*[False] * 3, *[True] * 5), database=Scripted(*[True] * 2))
    await scheduler.probe(*["store"] * 3)
    await scheduler.monitor_state.save()
    assert ([DOWN], 0) == (kept.types, store.writes)
    store.is_away = False
    await scheduler.probe("store")
    for _ in range(2):
        await scheduler.monitor_state.save()
    after = start(store=Scripted(True), database=Scripted(True))
    await after.probe("store")
    assert 2 / 5 == after.monitor_state.history.availability("store", HOUR, now())
    assert [DOWN, BACK] == kept.types
    assert [IncidentKind.DOWN] == [incident.kind for incident in after.monitor_state.incidents.listed]


async def test_an_earlier_outage_ends_while_the_store_is_unavailable(
    start: Start, store: LocalEntries, kept: RecordingChannel
) -> None:
    """A scheduler that starts without the store alerts on the end of an outage of the one before, once it loads it."""
    await start(database=Scripted(True, *[False] * 3)).probe(*["database"] * 4)
    store.is_away = True
    after = start(database=Scripted(True, True, True))
    await after.probe("database")
    store.is_away = False
    await after.probe("database", "database")
    assert [DOWN, BACK] == kept.types


async def test_a_save_writes_once(start: Start, store: LocalEntries) -> None:
    """A round of probes without a change writes nothing."""
    scheduler = start(database=Scripted(*[True] * 20))
    await scheduler.probe("database")
    writes = store.writes
    await scheduler.probe(*["database"] * 19)
    assert writes == store.writes
    await scheduler.monitor_state.save()
    assert writes + 1 == store.writes


async def test_a_passive_scheduler_shows_what_the_active_one_wrote(
    start: Start, entries: MemoryStore, alerts: AlertEngine
) -> None:
    """It reads the states, the history and the incidents of the active one."""
    first = start(database=Scripted(True, *[False] * 3))
    await first.probe(*["database"] * 4)
    passive = Scheduler(LocalEntries(entries), alerts, database=Scripted())
    await passive.monitor_state.refresh()
    assert PartState.DOWN is passive.state("database")
    assert 0.25 == passive.monitor_state.history.availability("database", HOUR, now())
    assert 1 == len(passive.monitor_state.incidents.listed)
