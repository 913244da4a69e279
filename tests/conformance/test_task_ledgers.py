"""The contract of every task ledger: one suite for all of them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from servers.stores import with_server
from vestibule.contracts.task_ledger import AttemptRecord, LedgerTask, NewTask, TaskChange, TaskFilter
from vestibule.contracts.tasks import Priority, TaskState
from vestibule.database_service.main import build_task_ledger, store_kinds
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tasks import task_pages
from vestibule.database_service.tasks.ledger import StoredTask, TaskLedger

KINDS = store_kinds()

UNFINISHED = [TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING]


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TaskLedger]:
    """An empty ledger of each kind, over its own store."""
    kind = with_server(KINDS[request.param], request)
    store = kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:"))
    async with store:
        ledger = build_task_ledger(store)
        await ledger.prepare()
        yield ledger


def new_task(**given: Any) -> NewTask:
    defaults: dict[str, Any] = {
        "task_id": str(uuid4()),
        "tenant": "t1",
        "processor": "uppercase",
        "data": "sealed",
        "submitted_at": time.time(),
        "due_in_s": 0,
    }
    return NewTask(**{**defaults, **given})


def step(task_id: str, state: TaskState, **given: Any) -> TaskChange:
    return TaskChange(task_id=task_id, state=state, **{"from_states": UNFINISHED, **given})


async def test_an_accepted_task_is_there_as_it_came(ledger: TaskLedger) -> None:
    """All its fields are stored, and its data."""
    task = new_task(priority=Priority.HIGH, sent_at=5.0, due_in_s=10)
    (recorded,) = await ledger.accept([task])
    (found,) = await ledger.find([task.task_id, "unknown"])
    assert (task.task_id, True) == (recorded.task_id, recorded.is_new)
    assert (task.tenant, task.processor, task.priority) == (found.tenant, found.processor, found.priority)
    assert (TaskState.QUEUED, 0, 5.0) == (found.state, found.attempts, found.sent_at)
    assert task.submitted_at == pytest.approx(found.submitted_at)
    assert found.due_at == pytest.approx(time.time() + 10, abs=5)
    assert {task.task_id: "sealed"} == await ledger.read_data([task.task_id, "unknown"])


async def test_a_task_is_recorded_once(ledger: TaskLedger) -> None:
    """A repeated acceptance of the same id changes nothing and says so."""
    task = new_task()
    await ledger.accept([task])
    again = await ledger.accept([task.model_copy(update={"data": "other"}), new_task()])
    assert [False, True] == [one.is_new for one in again]
    assert {task.task_id: "sealed"} == await ledger.read_data([task.task_id])


async def test_unique_tasks_are_one_for_their_time_and_tenant(ledger: TaskLedger) -> None:
    """The same unique key is the same task, until its time is over, and only within a tenant."""
    first, second, other = (new_task(unique_keys=["u"], unique_for_s=60) for _ in range(3))
    (a,) = await ledger.accept([first])
    (b,) = await ledger.accept([second])
    (c,) = await ledger.accept([other.model_copy(update={"tenant": "t2"})])
    assert [(first.task_id, True), (first.task_id, False), (other.task_id, True)] == [
        (one.task_id, one.is_new) for one in (a, b, c)
    ]
    brief, later = (new_task(unique_keys=["brief", "older"], unique_for_s=1e-9) for _ in range(2))
    await ledger.accept([brief])
    assert [True] == [one.is_new for one in await ledger.accept([later])]


async def counted(ledger: TaskLedger, tenant: str | None = None) -> dict[tuple[str, str, str], int]:
    """Return the counts by tenant, processor and state."""
    counts = await ledger.counts(tenant)
    return {(count.tenant, count.processor, count.state.value): count.tasks for count in counts}


async def recounted(ledger: TaskLedger) -> dict[tuple[str, str, str], int]:
    """Return what counting all tasks one by one gives."""
    tasks, _ = await ledger.page(TaskFilter(), 1000, None)
    return dict(Counter((task.tenant, task.processor, task.state.value) for task in tasks))


async def test_tasks_are_counted_by_tenant_processor_and_state(ledger: TaskLedger) -> None:
    """The counts are exact whatever happens to tasks: repeated ends, retries, sweeps and erasures."""
    tasks = [new_task(), new_task(tenant="t2", sent_at=5.0), *(new_task() for _ in range(4)), new_task(processor="p")]
    await ledger.accept(tasks)
    await ledger.accept(tasks[:2])
    running, retrying, dead, done, other = [task.task_id for task in tasks[2:]]
    queued = {("t1", "uppercase", "queued"): 5, ("t2", "uppercase", "queued"): 1, ("t1", "p", "queued"): 1}
    assert queued == await counted(ledger)
    for _ in range(2):
        await ledger.change(
            [
                step(running, TaskState.RUNNING, due_in_s=30),
                step(retrying, TaskState.RETRYING, due_in_s=30),
                step(dead, TaskState.DEAD),
                step(done, TaskState.SUCCEEDED, keep_data=False, keep_s=0),
            ]
        )
        await ledger.sweep(1)
    assert await recounted(ledger) == await counted(ledger)
    assert 1 == (await counted(ledger, "t1"))["t1", "uppercase", "dead"]
    await ledger.change([step(dead, TaskState.QUEUED, from_states=[TaskState.DEAD], due_in_s=0, attempts=0)])
    assert await ledger.replace_stored(StoredTask(other, "t1", "sealed", None), StoredTask(other, "t1", None, None))
    await ledger.sweep(100)
    assert {
        ("t1", "uppercase", "queued"): 2,
        ("t2", "uppercase", "queued"): 1,
        ("t1", "uppercase", "running"): 1,
        ("t1", "uppercase", "retrying"): 1,
        ("t1", "p", "cancelled"): 1,
    } == await counted(ledger)
    assert await recounted(ledger) == await counted(ledger)


async def test_a_task_shows_where_it_comes_from(ledger: TaskLedger) -> None:
    """Request, token and digest of the key are set when it is accepted, the cause when it fails."""
    task = new_task(request_id="r1", token_id="k1", token_name="name", key_digest="e1:00")
    await ledger.accept([task])
    await ledger.change([step(task.task_id, TaskState.DEAD, error="TaskInterrupted:http_503", attempts=3)])
    (found,) = await ledger.find([task.task_id])
    ((listed,), _) = await ledger.page(TaskFilter(), 10, None)
    for one in (found, listed):
        assert ("r1", "k1", "name", "e1:00") == (one.request_id, one.token_id, one.token_name, one.key_digest)
        assert "http_503" == one.cause


FILTERS: list[dict[str, Any]] = [
    {"tenant": "t1"},
    {"states": ["dead"]},
    {"tenant": "t1", "states": ["dead", "queued"]},
    {"processor": "p1"},
    {"tenant": "t1", "processor": "p1", "states": ["dead"]},
    {"tenant": "t2", "token_id": "k1"},
    {"tenant": "t1", "token_id": "k1", "processor": "p1"},
    {"tenant": "t1", "token_id": "k1", "states": ["dead"], "cause": "timeout"},
    {"cause": "timeout", "processor": "p0"},
    {"tenant": "t1", "key_digests": ["d1", "d2"], "states": ["queued"]},
    {"tenant": "t1", "key_digests": ["unknown"]},
    {"tenant": "t1", "submitted_before": 150.0},
    {"tenant": "t1", "due_before": 4e9},
    {"tenant": "t1", "due_before": 1.0},
    {"states": ["queued"], "due_before": 4e9, "processor": "p1", "submitted_before": 190.0},
]


@pytest.mark.parametrize("walked", [1_000, 3])
async def test_tasks_are_filtered(ledger: TaskLedger, monkeypatch: pytest.MonkeyPatch, walked: int) -> None:
    """Any combination finds what matches and nothing else, each once and newest first, however short the pages are."""
    monkeypatch.setattr(task_pages, "EXAMINED", walked)
    tasks = [
        new_task(
            tenant=f"t{number % 3}",
            processor=f"p{number % 2}",
            token_id=f"k{number % 5}",
            key_digest=f"d{number % 7}",
            submitted_at=100.0 + number,
            sent_at=None if number % 4 else 1.0,
            due_in_s=1000,
        )
        for number in range(100)
    ]
    await ledger.accept(tasks)
    failing = [task.task_id for number, task in enumerate(tasks) if number % 3 == 1]
    kinds = ["TaskInterrupted:timeout", "TaskFailed"]
    await ledger.change(
        [step(one, TaskState.DEAD, error=kinds[number % 2]) for number, one in enumerate(failing)],
    )
    everything = (await ledger.page(TaskFilter(), 1000, None))[0]
    assert 100 == len(everything)
    for given in FILTERS:
        chosen = TaskFilter(**given)
        found: list[str] = []
        cursor: str | None = None
        while True:
            page, cursor = await ledger.page(chosen, 4, cursor)
            assert len(page) <= 4
            found += [task.task_id for task in page]
            if cursor is None:
                break
        assert [task.task_id for task in everything if _matches(task, chosen)] == found, given


def _matches(task: LedgerTask, chosen: TaskFilter) -> bool:
    equal = [(chosen.tenant, task.tenant), (chosen.processor, task.processor), (chosen.token_id, task.token_id)]
    return (
        all(wanted in (None, own) for wanted, own in [*equal, (chosen.cause, task.cause)])
        and (not chosen.states or task.state in chosen.states)
        and (chosen.key_digests is None or task.key_digest in chosen.key_digests)
        and (chosen.submitted_before is None or task.submitted_at <= chosen.submitted_before)
        and (
            chosen.due_before is None
            or (task.sent_at is None and task.due_at is not None and task.due_at <= chosen.due_before)
        )
    )


async def test_attempts_are_kept_over_all_retries(ledger: TaskLedger) -> None:
    """Each has its number, worker, times and cause; one reported twice is one; the last twenty stay."""
    task = new_task()
    await ledger.accept([task])

    async def fail(number: int | None, state: TaskState = TaskState.RETRYING) -> None:
        record = AttemptRecord(number=number, worker="w1", started_at=1.0, ended_at=2.0, cause="timeout")
        given = {"due_in_s": 0} if state is TaskState.RETRYING else {}
        await ledger.change([step(task.task_id, state, error="TaskFailed", attempts=number, attempt=record, **given)])

    for number in (1, 1, 3):
        await fail(number)
    await fail(4, TaskState.DEAD)
    (found,) = await ledger.find([task.task_id])
    assert [(1, "w1", "timeout"), (2, None, "worker_lost"), (3, "w1", "timeout"), (4, "w1", "timeout")] == [
        (one.number, one.worker, one.cause) for one in found.history
    ]
    retry = step(task.task_id, TaskState.QUEUED, from_states=[TaskState.DEAD], due_in_s=0, attempts=0)
    await ledger.change([retry])
    for number in range(1, 31):
        await fail(number)
    await fail(None, TaskState.FAILED)
    (found,) = await ledger.find([task.task_id])
    assert list(range(16, 36)) == [one.number for one in found.history]
    assert (1.0, 2.0) == (found.history[-1].started_at, found.history[-1].ended_at)


async def test_two_of_the_same_in_one_batch_are_one(ledger: TaskLedger) -> None:
    """Within a batch too, the second is the first."""
    first, second = (new_task(unique_keys=["u"], unique_for_s=60) for _ in range(2))
    recorded = await ledger.accept([first, second])
    assert [first.task_id, first.task_id] == [one.task_id for one in recorded]


async def test_unsent_tasks_of_paused_processors_are_left_out(ledger: TaskLedger) -> None:
    """They are counted and not claimed, nor made due later. Sent ones are claimed as always, and after it all are."""
    free, paused = (new_task(processor=name, due_in_s=0) for name in ("uppercase", "redact"))
    sent = new_task(processor="redact", sent_at=5.0, due_in_s=0)
    await ledger.accept([free, paused, sent, new_task(processor="redact", due_in_s=30)])
    counted = await ledger.count_unsent(10)
    assert {("uppercase", 1), ("redact", 1)} == {(one.processor, one.tasks) for one in counted.counts}
    assert (False, True) == (counted.is_limited, (await ledger.count_unsent(2)).is_limited)
    claims = [await ledger.claim(10, 20, processors) for processors in ([], ["uppercase"], ["uppercase"], None)]
    ids = [[task.task_id for task in claim] for claim in claims]
    assert [[sent.task_id], [free.task_id], [], [paused.task_id]] == ids
    assert [] == (await ledger.count_unsent(10)).counts


async def test_what_is_due_is_claimed_once(ledger: TaskLedger) -> None:
    """Of many claims at once each task goes to one; it is due again when the lease is over."""
    tasks = [new_task(due_in_s=0) for _ in range(40)]
    await ledger.accept([*tasks, new_task(due_in_s=30)])
    claims = await asyncio.gather(*(ledger.claim(15, 20) for _ in range(5)))
    claimed = [task.task_id for claim in claims for task in claim]
    assert sorted(task.task_id for task in tasks) == sorted(claimed)
    assert [] == await ledger.claim(10, 20)
    (short,) = await ledger.accept([new_task()])
    await ledger.claim(1, 0)
    assert [short.task_id] == [task.task_id for task in await ledger.claim(10, 20)]


async def test_what_becomes_due_last_does_not_wait_for_all_before(ledger: TaskLedger) -> None:
    """Of hundreds that are due some of the newest are claimed too, so a flood of one tenant holds up no other."""
    await ledger.accept([new_task(tenant="flood", due_in_s=0) for _ in range(300)])
    beside = new_task(tenant="beside", due_in_s=0)
    await ledger.accept([beside])
    claims = [await ledger.claim(100, 20) for _ in range(4)]
    assert [100, 100, 100, 1] == [len({task.task_id for task in claim}) for claim in claims]
    assert beside.task_id in {task.task_id for task in claims[0]}


async def test_a_claim_tells_whether_a_task_was_sent(ledger: TaskLedger) -> None:
    """The first claim finds it not sent, and it counts as sent from then on."""
    task = new_task()
    await ledger.accept([task])
    (first,) = await ledger.claim(1, 0)
    (second,) = await ledger.claim(1, 20)
    assert first.sent_at is None
    assert second.sent_at == pytest.approx(time.time(), abs=60)


async def test_a_clock_that_was_set_back_puts_nothing_off(ledger: TaskLedger) -> None:
    """A sent task that is due in an hour is due now; one that is still to be sent waits for its hour."""
    sent, delayed = new_task(sent_at=1.0, due_in_s=3600), new_task(due_in_s=3600)
    await ledger.accept([sent, delayed])
    assert [sent.task_id] == [task.task_id for task in await ledger.claim(10, 20)]


async def test_an_end_counts_once(ledger: TaskLedger) -> None:
    """Of two ends the first stands; an ended task is not due and gives its data away."""
    task = new_task()
    await ledger.accept([task])
    taken = await ledger.change(
        [
            step(task.task_id, TaskState.SUCCEEDED, result="first", finished_at=2.0, keep_data=False, keep_s=60),
            step(task.task_id, TaskState.FAILED, error="TaskFailed"),
            step("unknown", TaskState.FAILED),
        ]
    )
    (found,) = await ledger.find([task.task_id])
    assert [True, False, False] == taken
    assert (TaskState.SUCCEEDED, "first", None, 2.0) == (found.state, found.result, found.error, found.finished_at)
    assert ([], {}) == (await ledger.claim(10, 20), await ledger.read_data([task.task_id]))


async def test_a_task_that_waits_for_its_next_attempt_is_due_then(ledger: TaskLedger) -> None:
    """A retry keeps data, counts attempts and is to be sent; an ended task can go on as long as it has data."""
    task = new_task(sent_at=1.0)
    await ledger.accept([task])
    await ledger.change(
        [step(task.task_id, TaskState.RETRYING, due_in_s=0, attempts=1, error="TaskInterrupted:http_503")]
    )
    (due,) = await ledger.claim(10, 20)
    assert (TaskState.RETRYING, 1, "TaskInterrupted:http_503", None) == (
        due.state,
        due.attempts,
        due.error,
        due.sent_at,
    )

    await ledger.change([step(task.task_id, TaskState.DEAD, attempts=3, keep_s=60, keep_result_s=60)])
    again = step(task.task_id, TaskState.QUEUED, from_states=[TaskState.DEAD], due_in_s=0, attempts=0)
    assert [True, False] == await ledger.change([again, again])
    assert [TaskState.QUEUED] == [one.state for one in await ledger.claim(10, 20)]
    await ledger.change([step(task.task_id, TaskState.SUCCEEDED, result="r", keep_data=False)])
    assert [False] == await ledger.change([again.model_copy(update={"from_states": [TaskState.SUCCEEDED]})])


async def test_another_tenants_task_is_left_alone(ledger: TaskLedger) -> None:
    """A step that names its tenant touches no other's task."""
    task = new_task()
    await ledger.accept([task])
    assert [False, True] == await ledger.change(
        [step(task.task_id, TaskState.CANCELLED, tenant=tenant) for tenant in ("t2", "t1")]
    )


async def test_tasks_are_listed_newest_first(ledger: TaskLedger) -> None:
    """By tenant and by state, page after page, each once, without results."""
    mine = [new_task() for _ in range(7)]
    for task in mine:
        await ledger.accept([task, new_task(tenant="t2")])
    await ledger.change([step(mine[0].task_id, TaskState.SUCCEEDED, result="r")])
    listed: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = await ledger.page(TaskFilter(tenant="t1"), 3, cursor)
        listed += [task.task_id for task in page]
        assert {None} == {task.result for task in page}
        if cursor is None:
            break
    assert [task.task_id for task in reversed(mine)] == listed
    done, _none = await ledger.page(TaskFilter(tenant="t1", states=[TaskState.SUCCEEDED, TaskState.FAILED]), 3, None)
    assert [mine[0].task_id] == [task.task_id for task in done]
    assert 14 == len((await ledger.page(TaskFilter(), 100, None))[0])


async def test_results_expire_and_tasks_are_forgotten(ledger: TaskLedger) -> None:
    """A result is gone when its time is over, the task is known for longer, and then it is not."""
    expiring, forgotten, kept = (new_task() for _ in range(3))
    await ledger.accept([expiring, forgotten, kept])
    await ledger.change(
        [
            step(expiring.task_id, TaskState.SUCCEEDED, result="r", keep_result_s=0, keep_s=60),
            step(forgotten.task_id, TaskState.SUCCEEDED, result="r", keep_result_s=0, keep_s=0),
            step(kept.task_id, TaskState.SUCCEEDED, result="r", keep_result_s=60, keep_s=60),
        ]
    )
    ids = [expiring.task_id, forgotten.task_id, kept.task_id]
    before = {task.task_id: (task.result, task.has_expired) for task in await ledger.find(ids)}
    assert ((None, True), ("r", False)) == (before[expiring.task_id], before[kept.task_id])
    assert 3 == await ledger.sweep(10)
    assert 0 == await ledger.sweep(10)
    after = {task.task_id: (task.result, task.has_expired) for task in await ledger.find(ids)}
    assert {expiring.task_id: (None, True), kept.task_id: ("r", False)} == after


async def test_stored_tasks_are_paged_and_replaced(ledger: TaskLedger) -> None:
    """Every task appears once; it is replaced unless it changed; an unfinished task without data is cancelled."""
    tasks = [new_task(data=f"data {number}") for number in range(5)]
    await ledger.accept(tasks)
    await ledger.change([step(tasks[0].task_id, TaskState.SUCCEEDED, result="r", keep_data=False)])
    met: list[StoredTask] = []
    cursor: str | None = None
    while True:
        page, cursor = await ledger.read_stored(2, cursor)
        met += page
        if cursor is None:
            break
    expected = {
        StoredTask(tasks[0].task_id, "t1", None, "r"),
        *(StoredTask(t.task_id, "t1", f"data {n}", None) for n, t in enumerate(tasks) if n),
    }
    assert expected == set(met)
    old = StoredTask(tasks[1].task_id, "t1", "data 1", None)
    new = StoredTask(tasks[1].task_id, "t1", "sealed anew", None)
    assert [True, False] == [await ledger.replace_stored(old, new), await ledger.replace_stored(old, new)]
    assert await ledger.replace_stored(new, StoredTask(new.task_id, "t1", None, None))
    (erased,) = await ledger.find([new.task_id])
    assert (TaskState.CANCELLED, None) == (erased.state, erased.due_at)
