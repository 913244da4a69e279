"""Task outcomes: from the result that a worker writes to Redis to a state change in the ledger and a status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from vestibule.client_service.queue.application import decrypt_content
from vestibule.client_service.queue.result_backend import AttemptFailed, place_of_result
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.task_status import at_or_none
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.task_ledger import AttemptRecord, TaskChange, WriteBack
from vestibule.contracts.tasks import UNFINISHED, TaskAttempt, TaskState, TaskStatus, describe_error, split_error
from vestibule.encryption import Cipher, DecryptionFailed
from vestibule.runtime.background import Backoff, Jitter
from vestibule.runtime.batching import json_bytes

MAX_RESULT_BYTES = 3 * 1024 * 1024
# A result that is longer as JSON does not fit into a request to the database service, which has 4 MiB by default.
MAX_RESULT_JSON_BYTES = 4 * 1024 * 1024 - 64 * 1024
RETRY_BACKOFF = Backoff(first_s=1.0, longest_s=300.0, factor=4.0, jitter=Jitter.EQUAL)
UNFINISHED_STATES = sorted(UNFINISHED)
RETRYABLE_STATES = [TaskState.FAILED, TaskState.DEAD, TaskState.CANCELLED]
# Not before Redis has forgotten the last run: a result of the next one must not be deleted.
RETRY_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task ended."""

    state: TaskState
    result: str | None
    error: str | None
    started_at: float | None
    finished_at: float | None
    write_back: WriteBack | None = None
    # None where the worker that reported it does not know the attempt.
    attempt: int | None = None
    worker: str | None = None

    @property
    def record(self) -> AttemptRecord:
        """The attempt that ended so."""
        times = {"started_at": self.started_at, "ended_at": self.finished_at}
        cause = None if self.error is None else split_error(self.error)[1]
        return AttemptRecord(number=self.attempt, worker=self.worker, **times, cause=cause)


def open_outcome(cipher: Cipher, task_id: str, content: bytes) -> TaskOutcome:
    """Decrypt a result and return the outcome in it.

    Raises:
        DecryptionFailed: it was not encrypted here, is of another task, or is no result.
    """
    try:
        meta = decrypt_content(cipher, content, place_of_result(task_id))
    except DecryptionFailed:
        # Workers of the revision before encrypt a result without its place; its content names the task.
        meta = decrypt_content(cipher, content)
    try:
        if meta["task_id"] != task_id:
            raise DecryptionFailed("it was encrypted for another task")
        return _outcome_of(meta)
    except (TypeError, ValueError, LookupError, AttributeError):
        raise DecryptionFailed("it is not a result") from None


def _outcome_of(meta: Mapping[str, Any]) -> TaskOutcome:
    finished_at = datetime.fromisoformat(meta["date_done"]).replace(tzinfo=UTC) if meta["date_done"] else None
    times = meta["started_at"], finished_at.timestamp() if finished_at else None
    # The main process of a worker writes the result of a task that took too long; it does not know the attempt.
    by: dict[str, Any] = {"attempt": meta["attempt"], "worker": meta.get("worker")}
    if meta["status"] != "SUCCESS":
        error = meta["kind"] or meta["result"]["exc_type"]
        return TaskOutcome(TaskState.FAILED, None, error, *times, **by)
    result, target = str(meta["result"]), meta["write_back"]
    most_bytes = MAX_RESULT_BYTES if target is None else MAX_VALUE_BYTES
    # A character has at most four bytes, and six as JSON.
    if len(result) * 6 > most_bytes and (
        len(result.encode()) > most_bytes or json_bytes(result) > MAX_RESULT_JSON_BYTES
    ):
        return TaskOutcome(TaskState.FAILED, None, "ResultTooLarge", *times, **by)
    write_back = None if target is None else WriteBack(**target)
    return TaskOutcome(TaskState.SUCCEEDED, result, None, *times, write_back, **by)


@dataclass(frozen=True, slots=True)
class LedgerSteps:
    """Derives the state change in the ledger from what is known about a task."""

    settings: QueueSettings
    cipher: Cipher

    def after_result(self, task_id: str, content: bytes) -> TaskChange | None:
        """Return the change to the end state of a result; None if it cannot be decrypted."""
        try:
            outcome = open_outcome(self.cipher, task_id, content)
        except DecryptionFailed as error:
            log = structlog.get_logger("vestibule.task_relay")
            log.error("result_not_decrypted", task_id=task_id, reason=str(error))
            return None
        has_failed = outcome.state is TaskState.FAILED
        return TaskChange(
            task_id=task_id,
            from_states=UNFINISHED_STATES,
            state=outcome.state,
            result=outcome.result,
            error=outcome.error,
            attempt=outcome.record,
            write_back=outcome.write_back,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            keep_data=has_failed,
            keep_result_s=self.settings.result_expires_s,
            keep_s=self.settings.task_record_expires_s,
        )

    def after_cancel(self, task_id: str, now: float) -> TaskChange:
        """Return the change to the end of a task that was cancelled."""
        keep_s = self.settings.task_record_expires_s
        return TaskChange(
            task_id=task_id,
            from_states=UNFINISHED_STATES,
            state=TaskState.CANCELLED,
            finished_at=now,
            keep_result_s=keep_s,
            keep_s=keep_s,
        )

    def after_retry(self, task_id: str) -> TaskChange:
        """Return the change of a task that a person retries, with all its attempts."""
        return TaskChange(
            task_id=task_id,
            from_states=RETRYABLE_STATES,
            state=TaskState.QUEUED,
            due_in_s=RETRY_AFTER_S,
            attempts=0,
        )

    def after_drop(self, task_id: str, error: str | None, finished_at: float | None) -> TaskChange:
        """Return the change of a dead task that counts as failed from now on; its data is deleted."""
        keep_s = self.settings.task_record_expires_s
        return TaskChange(
            task_id=task_id,
            from_states=[TaskState.DEAD],
            state=TaskState.FAILED,
            error=error,
            finished_at=finished_at,
            keep_data=False,
            keep_result_s=keep_s,
            keep_s=keep_s,
        )

    def after_failed_attempt(self, failed: AttemptFailed, now: float) -> TaskChange:
        """Return the change to the next attempt, or to the dead letters after the last one."""
        common: dict[str, Any] = {
            "task_id": failed.task_id,
            "from_states": UNFINISHED_STATES,
            "attempts": min(failed.attempts, self.settings.task_max_attempts),
            "error": failed.error,
            "attempt": AttemptRecord(
                number=failed.attempts,
                worker=failed.worker,
                started_at=failed.started_at,
                ended_at=now,
                cause=split_error(failed.error)[1],
            ),
        }
        if failed.attempts < self.settings.task_max_attempts:
            due_in_s = max(RETRY_BACKOFF.delay_s(failed.attempts), failed.retry_after_s)
            return TaskChange(state=TaskState.RETRYING, due_in_s=due_in_s, **common)
        keep_s = self.settings.task_record_expires_s
        return TaskChange(state=TaskState.DEAD, finished_at=now, keep_result_s=keep_s, keep_s=keep_s, **common)


def with_outcome(status: TaskStatus, outcome: TaskOutcome) -> TaskStatus:
    """Return a status updated with an outcome that the ledger does not have yet.

    A task with `write_to` has ended only when the ledger has written its result.
    """
    times: dict[str, Any] = {"due_at": None, "started_at": at_or_none(outcome.started_at)}
    if outcome.write_back is not None:
        return status.model_copy(update={"state": TaskState.RUNNING, **times, "is_settling": True})
    times["finished_at"] = at_or_none(outcome.finished_at)
    told: dict[str, Any] = {"state": outcome.state, "result": outcome.result, **describe_error(outcome.error)}
    known = status.attempt_history or []
    attempt = TaskAttempt(
        number=max(outcome.attempt or 1, known[-1].number + 1 if known else 1),
        worker=outcome.worker,
        started_at=times["started_at"],
        ended_at=times["finished_at"],
        cause=told["cause"],
    )
    return status.model_copy(update={**told, **times, "attempt_history": [*known, attempt]})
