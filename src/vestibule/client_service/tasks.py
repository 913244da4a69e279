"""Every task: its name, what it does about failure, and no logic of its own; the work is in `vestibule.processing`."""

import time
from collections.abc import Mapping
from typing import Any, cast

import structlog
from celery import shared_task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.result_backend import StartedAttempt, begin_attempt
from vestibule.contracts.queue_names import PROCESS_DATA_TASK
from vestibule.contracts.tasks import ERROR_DETAILS
from vestibule.contracts.work import DEFAULT_PROCESSOR, WorkTerms
from vestibule.processing import MAY_PASS, CannotProcess, Job

FAILED = "The processor failed on this data."


class TaskFailed(Exception):
    """A processor failed. The text says only that, since it is kept as the task's result."""


@shared_task(bind=True, name=PROCESS_DATA_TASK)  # type: ignore[untyped-decorator]
def process_data_task(
    self: Any, data: str, processor: str = DEFAULT_PROCESSOR, terms: Mapping[str, Any] | None = None
) -> str:
    """Return what `processor` makes of `data`; messages without `terms` are those of earlier versions.

    Raises:
        TaskFailed: the processor failed; the log has the cause.
        Ignore: nobody waits for the result any more, or the attempt failed in a way that may pass, which was reported.
    """
    app = cast(VestibuleCelery, self.app)
    attempt = _begin(self, app)
    # Whatever is logged meanwhile, by libraries too, names the request.
    with structlog.contextvars.bound_contextvars(
        request_id=getattr(self.request, "request_id", None),
        task_id=self.request.id,
        # A name that nothing goes by could be anything, even the data.
        processor=processor if processor in app.processors.names else "unknown",
        attempt=attempt.number,
    ):
        return _attempt(self, app, attempt, data, processor, terms or {})


def _attempt(  # noqa: PLR0917 - as they come
    task: Any, app: VestibuleCelery, attempt: StartedAttempt, data: str, processor: str, given: Mapping[str, Any]
) -> str:
    log = structlog.get_logger("vestibule.task")
    if not attempt.is_wanted:
        log.info("task_skipped")
        raise Ignore
    if attempt.number > app.settings.task_max_attempts:
        # Every attempt so far ended with its worker. Another would take the next one along.
        log.error("task_abandoned")
        task.backend.report_failed_attempt(task.request.id, "WorkerLost", attempt.number)
        raise Ignore
    log.info("task_started")
    began = time.perf_counter()
    try:
        terms = WorkTerms.model_validate(given)
        result = _do(app, task.request.id, data, processor, terms)
    except MAY_PASS as error:
        log.warning("task_interrupted", error=type(error).__name__, duration_ms=_since_ms(began))
        task.backend.report_failed_attempt(task.request.id, "TaskInterrupted", attempt.number)
        raise Ignore from None
    except CannotProcess as error:
        # Of what an operator's own processor calls its errors, nobody knows what it says. This goes into the result.
        task.request.failed_by = error.kind if error.kind in ERROR_DETAILS else None
        log.warning("task_refused", error=task.request.failed_by, duration_ms=_since_ms(began))
        raise TaskFailed(FAILED) from None
    except Exception:
        log.exception("task_failed", duration_ms=_since_ms(began))
        # The cause may quote the data, and Celery keeps the text of what is raised here.
        raise TaskFailed(FAILED) from None
    log.info("task_succeeded", duration_ms=_since_ms(began))
    if terms.write_to is not None:
        # From here it goes into the result; who settles the task writes it.
        task.request.write_back = {
            "key": terms.write_to,
            "tenant": terms.origin.tenant,
            "token_id": terms.origin.token_id,
        }
    return result


def _do(app: VestibuleCelery, task_id: str, data: str, processor: str, terms: WorkTerms) -> str:
    if app.results is None:
        raise RuntimeError("a worker without a door for results does nothing")
    result = app.processors.process(processor, data, terms.options, Job(task_id, terms.origin))
    return app.results.screen_result(result, terms.origin)


def _begin(task: Any, app: VestibuleCelery) -> StartedAttempt:
    request = task.request
    attempts_before = int(getattr(request, "attempts", None) or 0)
    try:
        attempt = begin_attempt(task.backend.client, request.id, attempts_before, app.settings.result_expires_s)
    except (RedisError, OSError) as error:
        # Redis went away since the task came. The work can be done all the same; the result waits for its return.
        structlog.get_logger("vestibule.task").warning("start_not_recorded", error=type(error).__name__)
        attempt = StartedAttempt(attempts_before + 1, is_wanted=True)
    # From here they go into the result.
    request.started_at, request.attempt = time.time(), attempt.number
    return attempt


def _since_ms(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
