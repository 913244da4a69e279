"""An attempt at a task in a worker: what is reported of it, over a real Redis."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from celery.app.task import Context
from redis import Redis

from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.result_backend import ENDED_KEY, AttemptFailed, parse_report
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import open_outcome
from vestibule.client_service.tasks import process_data_task
from vestibule.contracts.tasks import TaskState, WorkOrigin
from vestibule.encryption import Cipher
from vestibule.processing import ProcessingInterrupted, ProcessorRegistry
from vestibule.processing.ports import NotJson
from vestibule.worker.result_screening import ResultNotAllowed


class Failing:
    """Fails with the error that its text names."""

    name = "failing"
    description = "Fails."
    examples = ()

    def process(self, data: str) -> str:
        """Raise the error called `data`, or return it."""
        errors = {
            "interrupted": ProcessingInterrupted,
            "timeout": TimeoutError,
            "away": ConnectionRefusedError,
            "value": ValueError,
            "later": partial(ProcessingInterrupted, cause="http_503", retry_after_s=90.0),
            "no json": NotJson,
            "unknown host": socket.gaierror,
            "exit": SystemExit,
            "interrupt": KeyboardInterrupt,
        }
        if data in errors:
            raise errors[data](data)
        return data


class _OpenScreener:
    """Lets every result out but one."""

    def screen_result(self, result: str, origin: WorkOrigin) -> str:
        if result == "forbidden":
            raise ResultNotAllowed
        return result

    def ttl_of(self, _key: str, _result: str) -> float | None:
        return None


@pytest.fixture
def worker(settings: ClientSettings, cipher: Cipher) -> Iterator[VestibuleCelery]:
    """The application of a worker whose only processor raises a given error."""
    app = create_consumer(settings, cipher)
    app.processors = ProcessorRegistry([Failing()])
    app.results = _OpenScreener()
    yield app
    app.close()


def attempt(data: str, task_id: str, **of_request: str) -> str:
    """Do a task here and return its Celery state; its result is stored as a worker does it.

    `of_request` is what the attempt has noted in its request, which is gone when it has ended here.
    """
    done = process_data_task.apply((data, "failing"), task_id=task_id)
    if done.state in ("SUCCESS", "FAILURE"):
        process_data_task.backend.store_result(task_id, done.result, done.state, request=Context(**of_request))
    return str(done.state)


def reported(redis: Redis, cipher: Cipher) -> list[AttemptFailed]:
    """Return the failed attempts that were reported, each of a worker that is named and with its start."""
    reports = [parse_report(cipher, report) for report in redis.lrange(ENDED_KEY, 0, -1)]
    failed = [report for report in reports if isinstance(report, AttemptFailed)]
    assert all(report.worker and report.started_at for report in failed)
    return [replace(report, worker=None, started_at=None) for report in failed]


@pytest.mark.parametrize(
    ("error", "recorded"),
    [
        ("interrupted", ("TaskInterrupted", 0.0)),
        ("timeout", ("TaskInterrupted:timeout", 0.0)),
        ("away", ("TaskInterrupted:connection_refused", 0.0)),
        ("unknown host", ("TaskInterrupted:dns", 0.0)),
        ("later", ("TaskInterrupted:http_503", 90.0)),
    ],
)
def test_an_error_that_may_pass_is_reported_and_no_end(
    worker: VestibuleCelery, redis: Redis, cipher: Cipher, error: str, recorded: tuple[str, float]
) -> None:
    """Each attempt is counted with its cause, and there is no result yet; the error's text is not shown."""
    task_id = str(uuid4())
    assert ["IGNORED", "IGNORED"] == [attempt(error, task_id) for _ in range(2)]
    reports = reported(redis, cipher)
    kind, retry_after_s = recorded
    assert [AttemptFailed(task_id, kind, number, retry_after_s) for number in (1, 2)] == reports
    assert not redis.exists(f"celery-task-meta-{task_id}")


def test_an_error_that_will_not_pass_is_the_end(worker: VestibuleCelery, redis: Redis, cipher: Cipher) -> None:
    """The task has failed, and its id is reported."""
    task_id = str(uuid4())
    assert "FAILURE" == attempt("value", task_id)
    outcome = open_outcome(cipher, task_id, redis.get(f"celery-task-meta-{task_id}"))
    assert (TaskState.FAILED, "TaskFailed", None) == (outcome.state, outcome.error, outcome.result)
    assert [task_id] == [parse_report(cipher, report) for report in redis.lrange(ENDED_KEY, 0, -1)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("no json", "NotJson"),
        ("forbidden", "ResultRefused"),
        ("exit", "ProcessorExited"),
        ("interrupt", "ProcessorExited"),
    ],
)
def test_an_end_says_why(worker: VestibuleCelery, redis: Redis, cipher: Cipher, data: str, kind: str) -> None:
    """The kind of error that the processor or the result screening raises is the one that callers see."""
    task_id = str(uuid4())
    assert "FAILURE" == attempt(data, task_id, failed_by=kind)
    outcome = open_outcome(cipher, task_id, redis.get(f"celery-task-meta-{task_id}"))
    assert (TaskState.FAILED, kind, None) == (outcome.state, outcome.error, outcome.result)


def test_a_worker_that_is_told_to_exit_records_no_end(worker: VestibuleCelery, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal raises `SystemExit` within the processor: that is no fault of it, and the task runs again."""
    monkeypatch.setattr("billiard.common._should_have_exited", [True])
    with pytest.raises(SystemExit):
        attempt("exit", str(uuid4()))


def test_a_worker_without_result_screening_returns_no_result(worker: VestibuleCelery) -> None:
    """A worker that was put together wrongly fails its tasks, and lets nothing out unchecked."""
    worker.results = None
    assert "FAILURE" == attempt("fine", str(uuid4()))


def test_a_task_that_ended_its_workers_is_not_begun_again(
    worker: VestibuleCelery, redis: Redis, cipher: Cipher
) -> None:
    """After as many starts as it may have, it is reported as lost with its workers."""
    task_id = str(uuid4())
    redis.hset(f"vestibule:task:{task_id}", "starts", worker.settings.task_max_attempts)
    assert "IGNORED" == attempt("fine", task_id)
    reports = reported(redis, cipher)
    assert [AttemptFailed(task_id, "WorkerLost", 4)] == reports


def test_what_is_done_or_cancelled_is_not_done_again(worker: VestibuleCelery, redis: Redis, cipher: Cipher) -> None:
    """A message that is given out twice does nothing the second time; the first result stands."""
    done, cancelled = str(uuid4()), str(uuid4())
    redis.hset(f"vestibule:task:{cancelled}", "is_cancelled", "1")
    assert ["SUCCESS", "IGNORED", "IGNORED"] == [
        attempt("fine", done),
        attempt("interrupted", done),
        attempt("fine", cancelled),
    ]
    worker.backend.store_result(done, "other", "SUCCESS")
    assert "fine" == open_outcome(cipher, done, redis.get(f"celery-task-meta-{done}")).result
    assert {done} == {parse_report(cipher, report) for report in redis.lrange(ENDED_KEY, 0, -1)}
