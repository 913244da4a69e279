"""Every accepted task comes to its end, whatever happens to what Redis has of it; ledger and Redis are real."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from celery.app.task import Context
from httpx import ASGITransport, AsyncClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from servers.peers import LocalPeer
from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.erasure import ErasureStages
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.queue.application import REALM, encrypt_content
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.result_backend import (
    ENDED_KEY,
    IS_CANCELLED,
    RECORD_PREFIX,
    RESULT_PREFIX,
    AttemptFailed,
    begin_attempt,
)
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service import relay as relay_module
from vestibule.client_service.task_service.outcomes import UNFINISHED_STATES, LedgerSteps
from vestibule.client_service.task_service.relay import TaskRelay
from vestibule.client_service.tasks import TaskFailed
from vestibule.contracts.queue import Pause
from vestibule.contracts.subjects import SubjectQuery
from vestibule.contracts.task_ledger import LedgerTask, NewTask, TaskChange
from vestibule.contracts.tasks import TaskState, WorkOrigin, WorkTerms
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile
from vestibule.subject_search import SubjectSearcher

DAY_S = 86_400
# The number of the stage of an erasure after those of tasks.
LATE_ENTRIES = 8
TOO_MANY_CONTROLS = "\x01" * 699_040


class Worker:
    """Takes each message at once, as a worker does, and remembers which it ran."""

    def __init__(self, redis: Redis, backend: Any) -> None:
        self._redis = redis
        self._backend = backend
        self.ran: list[str] = []
        self.request_ids: list[str | None] = []

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Run each task that is wanted."""
        self.request_ids += [message.request_id for message in messages]
        for message in messages:
            if begin_attempt(self._redis, message.task_id, message.attempts, DAY_S).is_wanted:
                self.ran.append(message.task_id)
                self.end(message.task_id, message.data.upper())

    def fail(self, task_id: str, error: str) -> None:
        """Store the end of a task that failed."""
        self._backend.store_result(task_id, TaskFailed(), "FAILURE", request=Context(failed_by=error))

    def report(self, task_id: str, error: str, attempt: int) -> None:
        """Report an attempt that failed."""
        self._backend.report_failed_attempt(AttemptFailed(task_id, error, attempt))

    def hand_back(self, task_id: str, *, has_started: bool) -> None:
        """Report that a task is paused."""
        self._backend.hand_back(task_id, has_started=has_started)

    def end(self, task_id: str, result: str, **of_request: Any) -> None:
        """Store a result."""
        self._backend.store_result(task_id, result, "SUCCESS", request=Context(**of_request))


class System:
    """A relay with all that it works on."""

    def __init__(self, ledger: TaskLedgerClient, worker: Worker, redis: AsyncRedis, steps: LedgerSteps) -> None:
        self.ledger, self.worker, self.redis, self.steps = ledger, worker, redis, steps
        self.alerts = KeptAlerts()
        self.pauses = KnownPauses()
        parts = QueueView(redis), worker, steps
        self.relay = TaskRelay(ledger, *parts, alerts=self.alerts, pauses=self.pauses)  # type: ignore[arg-type]

    async def accept(self, count: int, tenant: str = "t1", **of_task: Any) -> list[str]:
        """Record tasks that count as sent."""
        ids = [str(uuid4()) for _ in range(count)]
        known = {"tenant": tenant, "processor": "uppercase", "data": "hello", "submitted_at": time.time(), "sent_at": 1}
        for task_id in ids:
            await self.ledger.accept(NewTask(task_id=task_id, due_in_s=0, **{**known, **of_task}))
        return ids

    async def rounds(self, count: int = 4) -> None:
        """Look after what is due, some times."""
        for _ in range(count):
            await self.relay.process_due()

    async def states(self, ids: Sequence[str]) -> set[str]:
        """Return the states of tasks, with their errors."""
        return {f"{task.state} {task.error or ''}".strip() for task in [await self.task(one) for one in ids]}

    async def task(self, task_id: str) -> LedgerTask:
        """Return a task of the ledger."""
        task = await self.ledger.find(task_id)
        assert task is not None
        return task


class KnownPauses(QueuePauses):
    """Pauses that a test sets."""

    def __init__(self) -> None:
        self._known = {}
        self._processors = ("uppercase", "redact")

    def pause(self, *names: str) -> None:
        """Pause these alone."""
        how = {"is_paused": True, "since": 1.0, "author": "tests", "token_id": "t", "reason": "tests"}
        self._known = {name: Pause(processor=name, **how) for name in names}  # type: ignore[arg-type]


class KeptAlerts(AlertEngine):
    """Keeps the type and the fields of each alert."""

    def __init__(self) -> None:
        self.raised: list[tuple[AlertType, dict[str, Any]]] = []

    async def raise_alert(self, alert_type: AlertType, _description: str, **fields: Any) -> Any:
        """Keep it."""
        self.raised.append((alert_type, fields))


@pytest.fixture
def worker(settings: ClientSettings, cipher: Cipher, redis: Redis) -> Iterator[Worker]:
    """A worker of that Redis."""
    app = create_consumer(settings, cipher)
    yield Worker(redis, app.backend)
    app.close()


@pytest.fixture
async def system(
    request: pytest.FixtureRequest, settings: ClientSettings, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    """A relay whose tasks are due again at once; the parameter is the body limit of the database service."""
    monkeypatch.setattr(relay_module, "CHECK_INTERVAL_S", 1e-6)
    monkeypatch.setattr(relay_module, "RECHECK_AFTER_S", 0.0)
    monkeypatch.setattr(relay_module, "REPORT_TIMEOUT_S", 0.01)
    limit = getattr(request, "param", 4 * 1024 * 1024)
    app = create_app(DatabaseSettings(data_dir=settings.data_dir, embedded=True, max_body_bytes=limit))
    headers = {"Authorization": f"Bearer {settings.secret_file.read_text()}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
        AsyncRedis.from_url(settings.redis_url) as redis,
    ):
        ledger = TaskLedgerClient(DatabaseTransport(LocalPeer(client)))
        yield System(ledger, worker, redis, LedgerSteps(settings, Cipher(KeyRingFile(settings.key_ring_path), REALM)))


async def test_results_that_go_before_they_are_settled_are_made_again(system: System, redis: Redis) -> None:
    """Redis lost them, and still says that the tasks have ended."""
    ids = await system.accept(20)
    for task_id in ids:
        system.worker.end(task_id, "HELLO")
    redis.delete(*(RESULT_PREFIX + task_id for task_id in ids))
    await system.relay.process_reports()
    assert {"queued"} == await system.states(ids)
    await system.rounds()
    assert ({"succeeded"}, sorted(ids)) == (await system.states(ids), sorted(system.worker.ran))


async def test_paused_tasks_wait_in_the_ledger(system: System, redis: Redis) -> None:
    """Unsent ones are not sent, lost ones not sent again, handed back ones kept with their attempts; then all run."""
    system.pauses.pause("redact")
    new, lost, tried = [(await system.accept(1, processor="redact", sent_at=at))[0] for at in (None, 1, 1)]
    (free,) = await system.accept(1)
    system.worker.report(tried, "TaskInterrupted:timeout", 1)
    await system.relay.process_reports()
    system.worker.hand_back(tried, has_started=False)
    await system.relay.process_reports()
    await system.rounds()
    assert ([free], {"queued"}) == (system.worker.ran, await system.states([new, lost]))
    kept = await system.task(tried)
    assert ("retrying", 1, "TaskInterrupted:timeout", None) == (kept.state, kept.attempts, kept.error, kept.sent_at)
    system.pauses.pause()
    await system.rounds()
    assert ({new, lost, tried, free}, 4) == (set(system.worker.ran), len(system.worker.ran))


async def test_a_late_report_of_a_pause_changes_nothing(system: System) -> None:
    """A task that was sent again meanwhile, or has ended, is not sent once more."""
    ended, sent = await system.accept(2)
    for task_id in (ended, sent):
        system.worker.hand_back(task_id, has_started=False)
    await system.ledger.change(
        [
            TaskChange(
                task_id=sent,
                from_states=[TaskState.QUEUED],
                state=TaskState.QUEUED,
                due_in_s=30,
                sent_at=time.time() + 60,
            )
        ]
    )
    await system.ledger.change([system.steps.after_cancel(ended, time.time())])
    await system.relay.process_reports()
    await system.rounds()
    assert ([], {"queued", "cancelled"}) == (system.worker.ran, await system.states([ended, sent]))


TERMS = WorkTerms(origin=WorkOrigin(token_id="t-7"), request_id="the-request")


async def test_a_task_that_fails_says_whose_it_was(system: System) -> None:
    """The alert has task, request and token, and one subject for each processor and cause; it is raised once."""
    failed, dead = await system.accept(2, terms=TERMS)
    system.worker.fail(failed, "ForwardRefused:http_400")
    for attempt in range(1, 4):
        system.worker.report(dead, "TaskInterrupted:http_503", attempt)
    for _ in range(4):
        await system.relay.process_reports()
    await system.rounds()
    assert {"failed ForwardRefused:http_400"} == await system.states([failed])
    origin = {"request_id": "the-request", "token_id": "t-7", "token_name": None}
    expected = [
        (AlertType.TASK_DEAD_LETTERED, {**origin, "task_id": dead, "tenant": "t1", "subject": "uppercase: http_503"}),
        (AlertType.TASK_FAILED, {**origin, "task_id": failed, "tenant": "t1", "subject": "uppercase: http_400"}),
    ]
    assert expected == sorted(system.alerts.raised, key=lambda raised: raised[0])


async def test_a_later_attempt_has_the_id_of_the_request(system: System) -> None:
    """A message that is sent again has it like the first, for the log of the worker."""
    await system.accept(1, terms=TERMS, sent_at=None)
    await system.rounds()
    assert ["the-request"] == system.worker.request_ids


async def test_an_older_ledger_takes_its_tasks_up_again(system: System, redis: Redis) -> None:
    """After a restore, Redis has newer ends without their results, and cancellations that the ledger does not know."""
    ended, cancelled = await system.accept(10), await system.accept(3)
    for task_id in ended:
        redis.hset(RECORD_PREFIX + task_id, mapping={"has_ended": "1", "starts": "1", "started_at": "1"})
    for task_id in cancelled:
        redis.hset(RECORD_PREFIX + task_id, "is_cancelled", "1")
    await system.rounds()
    assert ({"succeeded"}, {"cancelled"}) == (await system.states(ended), await system.states(cancelled))
    assert sorted(ended) == sorted(system.worker.ran)


async def test_a_retried_task_runs_though_redis_knows_its_last_run(system: System, redis: Redis) -> None:
    """Redis was away when the task was retried: what it has of the last run neither ends nor stops the next."""
    (task_id,) = await system.accept(1, sent_at=None)
    system.worker.end(task_id, "OLD")
    redis.delete(ENDED_KEY)
    await system.rounds()
    assert "HELLO" == (await system.task(task_id)).result


@pytest.mark.parametrize("kind", ["encoded", "message", "ledger"])
async def test_one_task_holds_up_no_other(
    system: System, redis: Redis, cipher: Cipher, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its result fits into no request, is the body of a message, or the ledger fails on it: the others end."""
    ids = await system.accept(30)
    poison, *others = ids
    change = system.ledger.change
    match kind:
        case "encoded":
            system.worker.end(poison, TOO_MANY_CONTROLS)
        case "message":
            sealed_for = {"sealed_for": f"vestibule.process_data {poison}"}
            redis.set(RESULT_PREFIX + poison, encrypt_content(cipher, [["hello"], {}, sealed_for]))
        case _:
            system.worker.end(poison, "x")

            async def fail(changes: Sequence[TaskChange]) -> list[bool]:
                if poison in {step.task_id for step in changes}:
                    raise RuntimeError("this one")
                return await change(changes)

            monkeypatch.setattr(system.ledger, "change", fail)
    for task_id in others:
        system.worker.end(task_id, "HELLO")
    redis.delete(ENDED_KEY)
    await system.rounds(1)
    assert {"succeeded"} == await system.states(others)
    expected = {"encoded": "failed ResultTooLarge", "message": "retrying MessageRefused"}.get(kind, "queued")
    assert {expected} == await system.states([poison])


async def test_an_answer_of_control_characters_is_too_large(system: System) -> None:
    """A mebibyte of them, also where it would be written to a key; what fits is kept."""
    large, written, fitting = await system.accept(3)
    to_key = {"key": "k", "tenant": "t1", "token_id": None}
    system.worker.end(large, "\x01" * 1024 * 1024)
    system.worker.end(written, "\x01" * 700_000, write_back=to_key)
    system.worker.end(fitting, "\x01" * 500_000)
    await system.relay.process_reports()
    assert {"failed ResultTooLarge"} == await system.states([large, written])
    assert {"succeeded"} == await system.states([fitting])


@pytest.mark.parametrize("system", [200_000], indirect=True)
async def test_what_the_database_service_refuses_for_its_size_ends(system: System) -> None:
    """Its limit is the operator's: a result over it fails its task, and the rest of the batch is recorded."""
    large, *others = await system.accept(5)
    system.worker.end(large, "x" * 300_000)
    for task_id in others:
        system.worker.end(task_id, "x" * 60_000)
    await system.relay.process_reports()
    assert ({"failed ResultTooLarge"}, {"succeeded"}) == (await system.states([large]), await system.states(others))


async def test_results_of_the_revision_before_open(system: System, redis: Redis, cipher: Cipher) -> None:
    """They are encrypted without their place; one that names another task does not open."""
    old, foreign = await system.accept(2)
    meta: dict[str, Any] = {"status": "SUCCESS", "result": "OLD", "date_done": None, "started_at": 1.0, "attempt": 1}
    for task_id in (old, foreign):
        content = {**meta, "task_id": old, "write_back": None, "kind": None}
        redis.set(RESULT_PREFIX + task_id, encrypt_content(cipher, content))
    await system.rounds(1)
    assert "OLD" == (await system.task(old)).result
    assert {"retrying MessageRefused"} == await system.states([foreign])


async def test_the_alert_of_a_dead_letter_is_of_the_tenant_of_its_task(
    system: System, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else sees it."""
    monkeypatch.setattr(system.steps.settings, "task_max_attempts", 1)
    (task_id,) = await system.accept(1, tenant="north")
    redis.set(RESULT_PREFIX + task_id, "no result")
    await system.rounds(1)
    tenants = [fields["tenant"] for _, fields in system.alerts.raised]
    assert ({"dead MessageRefused"}, ["north"]) == (await system.states([task_id]), tenants)


async def test_nobody_but_a_worker_reports(system: System, redis: Redis) -> None:
    """Whatever text is pushed into the reports, a delayed task waits for its time."""
    (task_id,) = await system.accept(1, sent_at=None)
    text = "DE89370400440532013000"
    redis.rpush(ENDED_KEY, f"{task_id} {text} 99", f"{task_id} WorkerLost 99", text, b"\xff" * 36, task_id)
    await system.relay.process_reports()
    assert {"queued"} == await system.states([task_id])


async def test_erasing_a_common_word_leaves_other_tenants_tasks(
    system: System, redis: Redis, settings: ClientSettings
) -> None:
    """Their results stay; the tenant's own go, and its task whose result is not settled is cancelled."""
    theirs, own, settled = await system.accept(20, "t2"), await system.accept(2), await system.accept(2)
    for task_id in (*theirs, *own, *settled):
        system.worker.end(task_id, "the common word")
    redis.delete(ENDED_KEY)
    ends = [TaskChange(task_id=one, from_states=UNFINISHED_STATES, state=TaskState.FAILED) for one in settled]
    await system.ledger.change(ends)
    unused: Any = None
    searcher = SubjectSearcher(KeyRingFile(settings.key_ring_path))
    queue = QueueView(system.redis)
    stages = ErasureStages(
        unused, [], system.ledger, unused, system.redis, queue, system.steps, searcher, reasons=unused, audit=unused
    )
    (waiting,) = await system.accept(1, data="a common word")
    query = SubjectQuery(value="common", tenants=["t1"])
    record: ErasureRecord | None = ErasureRecord(
        erasure_id="e", tenant="t1", token_id=None, request_id=None, query=query, stage=5, started_at=0.0
    )
    while record is not None and record.stage < LATE_ENTRIES:
        record = await stages.run_page(record)
    assert record is not None
    assert (0, 3) == (record.entries.erased, record.results.erased)
    # Its message is still in the queue; workers skip it.
    assert redis.hexists(RECORD_PREFIX + waiting, IS_CANCELLED)
    assert {"cancelled"} == await system.states([waiting])
    left = {key.decode().removeprefix(RESULT_PREFIX) for key in redis.keys(RESULT_PREFIX + "*")}
    assert set(theirs) == left
    await system.rounds()
    assert ({"succeeded"}, {"cancelled"}) == (await system.states(theirs), await system.states(own))
    assert [] == system.worker.ran


async def test_terms_of_another_version_hold_up_no_other(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose terms this version cannot read is left out, and the others are sent."""
    with monkeypatch.context() as patch:
        patch.setattr(WorkTerms, "model_dump_json", lambda *_given, **_of_it: '{"from_the_future": 1}')
        # So long that the ledger returns its data alone.
        unread = await system.accept(1, sent_at=None, data="x" * 1_600_000)
    others = await system.accept(5, sent_at=None)
    await system.rounds(1)
    assert (sorted(others), {"queued"}) == (sorted(system.worker.ran), await system.states(unread))
