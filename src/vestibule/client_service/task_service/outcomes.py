"""What came of a task: from what a worker left in Redis to a step in the ledger and words for the caller."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from vestibule.client_service.queue.encrypted_content import decrypt_content
from vestibule.client_service.queue.result_backend import AttemptFailed
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.task_status import at
from vestibule.contracts.entries import MAX_VALUE_BYTES
from vestibule.contracts.task_ledger import TaskChange, WriteBack
from vestibule.contracts.tasks import UNFINISHED, TaskState, TaskStatus, describe_error
from vestibule.encryption import Cipher, DecryptionFailed

# A larger one does not fit into a request to the database service.
MAX_RESULT_BYTES = 3 * 1024 * 1024
UNFINISHED_STATES = sorted(UNFINISHED)


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task ended."""

    state: TaskState
    result: str | None
    error: str | None
    started_at: float | None
    finished_at: float | None
    write_back: WriteBack | None = None
    attempt: int = 1


def open_outcome(cipher: Cipher, task_id: str, content: bytes) -> TaskOutcome:
    """Return what a sealed result says.

    Raises:
        DecryptionFailed: it was not sealed here, or for another task.
    """
    meta: Mapping[str, Any] = decrypt_content(cipher, content)
    if meta["task_id"] != task_id:
        raise DecryptionFailed("it was sealed for another task")
    finished_at = datetime.fromisoformat(meta["date_done"]).replace(tzinfo=UTC) if meta["date_done"] else None
    times = meta.get("started_at"), finished_at.timestamp() if finished_at else None
    # Results of earlier versions do not say it.
    attempt = meta.get("attempt") or 1
    if meta["status"] != "SUCCESS":
        error = meta.get("kind") or meta["result"]["exc_type"]
        return TaskOutcome(TaskState.FAILED, None, error, *times, attempt=attempt)
    result, target = str(meta["result"]), meta.get("write_back")
    most_bytes = MAX_RESULT_BYTES if target is None else MAX_VALUE_BYTES
    if len(result) * 4 > most_bytes and len(result.encode()) > most_bytes:
        return TaskOutcome(TaskState.FAILED, None, "ResultTooLarge", *times, attempt=attempt)
    write_back = None if target is None else WriteBack(**target)
    return TaskOutcome(TaskState.SUCCEEDED, result, None, *times, write_back, attempt)


class LedgerSteps:
    """Says which step of the ledger follows from what is known of a task."""

    def __init__(self, settings: QueueSettings, cipher: Cipher) -> None:
        self._settings = settings
        self._cipher = cipher

    def after_result(self, task_id: str, content: bytes) -> TaskChange | None:
        """Return the step to the end that a sealed result says, None where it does not open."""
        try:
            outcome = open_outcome(self._cipher, task_id, content)
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
            write_back=outcome.write_back,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            keep_data=has_failed,
            keep_result_s=self._settings.result_expires_s,
            keep_s=self._settings.task_record_expires_s,
        )

    def after_failed_attempt(self, failed: AttemptFailed, now: float) -> TaskChange:
        """Return the step to the next attempt, or to the dead letters where it was the last."""
        if failed.attempts >= self._settings.task_max_attempts:
            return TaskChange(
                task_id=failed.task_id,
                from_states=UNFINISHED_STATES,
                state=TaskState.DEAD,
                attempts=min(failed.attempts, self._settings.task_max_attempts),
                error=failed.kind,
                finished_at=now,
                keep_result_s=self._settings.task_record_expires_s,
                keep_s=self._settings.task_record_expires_s,
            )
        return TaskChange(
            task_id=failed.task_id,
            from_states=UNFINISHED_STATES,
            state=TaskState.RETRYING,
            due_in_s=self.back_off_s(failed.attempts),
            attempts=failed.attempts,
            error=failed.kind,
        )

    def back_off_s(self, attempts: int) -> float:
        """Return the time to the next attempt: four times as long after each, and some of it left to chance.

        Source: M. Brooker, "Exponential Backoff And Jitter", 2015, where half of the time is kept ("equal jitter").
        """
        longest_s = min(self._settings.task_retry_first_s * 4.0 ** (attempts - 1), self._settings.task_retry_longest_s)
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - chance here keeps no secret


def with_outcome(status: TaskStatus, outcome: TaskOutcome) -> TaskStatus:
    """Return a status brought up to the end that is known by now.

    A task has not ended before its result is where it shall be written to, which the ledger sees to.
    """
    if outcome.write_back is not None:
        started_at = None if outcome.started_at is None else at(outcome.started_at)
        return status.model_copy(
            update={"state": TaskState.RUNNING, "started_at": started_at, "due_at": None, "is_settling": True}
        )
    return status.model_copy(
        update={
            "state": outcome.state,
            "result": outcome.result,
            "error": describe_error(outcome.error),
            "due_at": None,
            "started_at": None if outcome.started_at is None else at(outcome.started_at),
            "finished_at": None if outcome.finished_at is None else at(outcome.finished_at),
        }
    )
