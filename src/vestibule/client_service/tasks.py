"""The Celery tasks: names and error handling; the work itself is in `vestibule.processing`."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import structlog
from billiard.common import terminate_handler_fired
from celery import shared_task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.result_backend import AttemptFailed, StartedAttempt, begin_attempt
from vestibule.contracts.tasks import (
    DEFAULT_PROCESSOR,
    ERROR_DETAILS,
    PROCESS_DATA_TASK,
    Cause,
    WorkTerms,
    join_error,
    split_error,
)
from vestibule.processing import MAY_PASS, CannotProcess, Job, cause_of
from vestibule.runtime.log_context import bound_log_fields

DEFAULT_TERMS: Mapping[str, Any] = MappingProxyType({})
FAILED = "The processor failed on this data."


class TaskFailed(Exception):
    """A processor failed. The text has no details, because it is stored as the task's result."""


@shared_task(bind=True, name=PROCESS_DATA_TASK)  # type: ignore[untyped-decorator]
def process_data_task(
    self: Any, data: str, processor: str = DEFAULT_PROCESSOR, terms: Mapping[str, Any] = DEFAULT_TERMS
) -> str:
    """Return the result of `processor` for `data` on the given `terms` (`contracts.work.WorkTerms` as JSON).

    Raises:
        TaskFailed: the processor failed; the log has the cause.
        Ignore: the task is no longer wanted or is paused, or the attempt failed with a temporary error; it is reported.
    """
    app = cast(VestibuleCelery, self.app)
    attempt = _begin(self, app, processor)
    # Every log line of the task, of libraries too, has these.
    with bound_log_fields(
        request_id=getattr(self.request, "request_id", None),
        task_id=self.request.id,
        # An unknown name could be anything, even the data.
        processor=processor if processor in app.processors.names else "unknown",
        attempt=attempt.number,
        **_token_of(terms),
    ):
        return _attempt(self, app, attempt, data, processor, terms)


def _token_of(terms: Mapping[str, Any]) -> dict[str, str | None]:
    # Not validated yet: what is no text is not logged.
    origin = terms.get("origin")
    given = origin if isinstance(origin, Mapping) else {}
    found = {name: given.get(name) for name in ("token_id", "token_name")}
    return {name: value if isinstance(value, str) else None for name, value in found.items()}


def _attempt(  # noqa: PLR0917 - what Celery passes
    task: Any, app: VestibuleCelery, attempt: StartedAttempt, data: str, processor: str, given: Mapping[str, Any]
) -> str:
    log = structlog.get_logger("vestibule.task")
    if not attempt.is_wanted:
        log.info("task_skipped")
        raise Ignore
    if attempt.is_paused:
        _hand_back(task, has_started=attempt.number > 0)
        raise Ignore
    if attempt.number > app.settings.task_max_attempts:
        # Every attempt so far ended its worker; another attempt would end the next one.
        log.error("task_abandoned")
        _report(task, "WorkerLost", attempt)
        raise Ignore
    log.info("task_started")
    began = time.perf_counter()
    try:
        terms = WorkTerms.model_validate(given)
        if app.results is None:
            raise RuntimeError("the worker has no result screening")
        job = Job(task.request.id, terms.origin)
        processed = app.processors.process(processor, data, terms.options, job)
        result = app.results.screen_result(processed, terms.origin)
        ttl_s = None if terms.write_to is None else app.results.ttl_of(terms.write_to, processed)
    except MAY_PASS as error:
        _leave_if_terminated()
        failed = join_error("TaskInterrupted", cause_of(error))
        name, cause = type(error).__name__, split_error(failed)[1]
        log.warning("task_interrupted", error=name, cause=cause, duration_ms=_since_ms(began))
        retry_after_s = getattr(error, "retry_after_s", 0.0)
        _report(task, failed, attempt, retry_after_s)
        raise Ignore from None
    except CannotProcess as error:
        _leave_if_terminated()
        # Only known kinds go into the result: an operator's own processor could put anything into the name.
        kind = error.kind if error.kind in ERROR_DETAILS else "TaskFailed"
        task.request.failed_by = join_error(kind, cause_of(error))
        cause = split_error(task.request.failed_by)[1]
        log.warning("task_refused", error=kind, cause=cause, duration_ms=_since_ms(began))
        raise TaskFailed(FAILED) from None
    except Exception:
        _leave_if_terminated()
        log.exception("task_failed", cause=Cause.PROCESSOR_ERROR, duration_ms=_since_ms(began))
        # The cause may quote the data, and Celery stores the text of the exception.
        raise TaskFailed(FAILED) from None
    log.info("task_succeeded", duration_ms=_since_ms(began))
    if terms.write_to is not None:
        # The result carries it; the relay has the ledger write it.
        task.request.write_back = {
            "key": terms.write_to,
            "tenant": terms.origin.tenant,
            "token_id": terms.origin.token_id,
        }
        if ttl_s is not None:
            task.request.write_back["ttl_s"] = ttl_s
    return result


def _hand_back(task: Any, *, has_started: bool) -> None:
    """Hand a paused task back to the ledger; the queue would deliver it again at once."""
    log = structlog.get_logger("vestibule.task")
    task.request.handed_back = True
    try:
        task.backend.hand_back(task.request.id, has_started=has_started)
    except (RedisError, OSError) as error:
        # The relay finds that no one has it, and keeps it until the pause is over.
        log.warning("hand_back_not_recorded", error=type(error).__name__)
    else:
        log.info("task_handed_back")


def _report(task: Any, error: str, attempt: StartedAttempt, retry_after_s: float = 0.0) -> None:
    request = task.request
    worker = getattr(request, "hostname", None)
    task.backend.report_failed_attempt(
        AttemptFailed(request.id, error, attempt.number, retry_after_s, worker, request.started_at)
    )


def _leave_if_terminated() -> None:
    """Leave when this process is told to exit: what was raised then is no outcome, and the task runs again."""
    if terminate_handler_fired():
        raise SystemExit


def _begin(task: Any, app: VestibuleCelery, processor: str) -> StartedAttempt:
    request, settings = task.request, app.settings
    attempts_before = int(getattr(request, "attempts", None) or 0)
    counted = task.backend.scripts, request.id, attempts_before, settings.result_expires_s
    try:
        # Messages in RabbitMQ survive a loss of Redis, which has lost the pauses then.
        attempt = begin_attempt(*counted, processor, needs_marks=bool(settings.broker_url))
    except (RedisError, OSError) as error:
        # Redis became unavailable. The task can run; its result waits until Redis is back.
        structlog.get_logger("vestibule.task").warning("start_not_recorded", error=type(error).__name__)
        attempt = StartedAttempt(attempts_before + 1, is_wanted=True)
    # The result carries them.
    request.started_at, request.attempt = time.time(), attempt.number
    return attempt


def _since_ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
