"""The result backend: what workers write to Redis about tasks, and the names of the keys."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from celery.backends.redis import RedisBackend, SentinelBackend

from vestibule.client_service.queue.application import decrypt_content, encrypt_content
from vestibule.contracts.tasks import ERROR_DETAILS, join_error, split_error
from vestibule.encryption import Cipher, DecryptionFailed

RECORD_PREFIX = "vestibule:task:"
RESULT_PREFIX = "celery-task-meta-"  # Celery's own name for the key of a result
ENDED_KEY = "vestibule:ended"

STARTED_AT, STARTS, IS_CANCELLED, HAS_ENDED = "started_at", "starts", "is_cancelled", "has_ended"
# The associated data of reports.
REPORT = b"report of a worker"
# Returns the number of starts, or nothing where the task is over: a worker that skips it leaves its record as it is.
BEGIN = f"""
    local over = redis.call('HMGET', KEYS[1], '{IS_CANCELLED}', '{HAS_ENDED}')
    if over[1] or over[2] then return nil end
    redis.call('HSET', KEYS[1], '{STARTED_AT}', ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return redis.call('HINCRBY', KEYS[1], '{STARTS}', 1)
"""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt that failed with a temporary error, and the least seconds until the next one."""

    task_id: str
    error: str
    attempts: int
    retry_after_s: float = 0.0


class _Reporting:
    """Celery's results in Redis; the first result of a task stays, and waiting requests are notified of it.

    Celery reads the old result before it writes a new one; here Redis itself keeps the old one, in the same step.
    """

    # Celery's own, which says nothing of their types.
    app: Any
    client: Any
    expires: Any
    get_key_for_task: Any
    _get_result_meta: Any
    _set_with_state: Any

    def report_failed_attempt(self, task_id: str, error: str, attempts: int, retry_after_s: float = 0.0) -> None:
        """Report that an attempt failed with a temporary error, a kind that may have a cause (`join_error`)."""
        # Only where it is needed: client services of the revision before read no report with it.
        report = [task_id, error, attempts, *([retry_after_s] if retry_after_s else [])]
        self.client.rpush(ENDED_KEY, encrypt_content(self.app.cipher, report, REPORT))

    def _store_result(
        self, task_id: Any, result: Any, state: str, traceback: Any = None, request: Any = None, **_options: Any
    ) -> Any:
        del traceback  # its lines may quote the data
        meta = self._get_result_meta(result=result, state=state, traceback=None, request=request)
        meta["task_id"] = task_id if isinstance(task_id, str) else task_id.decode()
        meta["started_at"] = getattr(request, "started_at", None)
        meta["attempt"] = getattr(request, "attempt", None)
        meta["write_back"] = getattr(request, "write_back", None)
        meta["kind"] = getattr(request, "failed_by", None)
        content = encrypt_content(self.app.cipher, meta, place_of_result(meta["task_id"]))
        self._set_with_state(self.get_key_for_task(task_id), content, state)
        return result

    def _set(self, key: Any, value: Any) -> None:
        name = key if isinstance(key, str) else key.decode()
        # In one packet, and in this order: a notified request finds the result. It needs no transaction.
        with self.client.pipeline(transaction=False) as pipe:
            pipe.set(name, value, ex=self.expires or None, nx=True)
            pipe.publish(name, "")  # a notified request reads the result
            if name.startswith(RESULT_PREFIX):
                task_id = name.removeprefix(RESULT_PREFIX)
                # Stays when the ledger has the result, so that no worker starts the task again.
                pipe.hset(RECORD_PREFIX + task_id, HAS_ENDED, "1")
                pipe.expire(RECORD_PREFIX + task_id, self.expires)
                pipe.rpush(ENDED_KEY, task_id)
            pipe.execute()


def place_of_result(task_id: str) -> bytes:
    """Return the associated data of the result of a task: nothing else in Redis can be decrypted as that result."""
    return f"result of {task_id}".encode()


def parse_report(cipher: Cipher, report: bytes) -> str | AttemptFailed:
    """Parse a report of a worker: the id of a task that has ended, or a failed attempt.

    An end is only a hint, since its result is encrypted. A failed attempt has no result, so its report is encrypted.

    Raises:
        ValueError: no worker has reported this.
    """
    if len(report) == len(str(UUID(int=0))):
        return str(UUID(report.decode()))
    try:
        task_id, error, attempts, *after_s = decrypt_content(cipher, report, REPORT)
    except DecryptionFailed as failure:
        raise ValueError("it is not encrypted as a report") from failure
    kind, cause = split_error(error)
    error = join_error(kind if kind in ERROR_DETAILS else "TaskFailed", cause)
    return AttemptFailed(task_id, error, int(attempts), float(sum(after_s)))


class ReportingBackend(_Reporting, RedisBackend):  # type: ignore[misc]
    """The results in one Redis."""


class ReportingSentinelBackend(_Reporting, SentinelBackend):  # type: ignore[misc]
    """The results in the Redis primary that the Sentinels name."""


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """An attempt that a worker starts."""

    number: int
    is_wanted: bool


def begin_attempt(redis: Any, task_id: str, attempts_before: int, expires_s: int) -> StartedAttempt:
    """Record that a worker starts a task, and return the attempt; `redis` is a synchronous client.

    A task is no longer wanted if it was cancelled, or has ended because its message was delivered twice.
    """
    starts = redis.eval(BEGIN, 1, RECORD_PREFIX + task_id, str(time.time()), expires_s)
    return StartedAttempt(max(int(starts or 0), attempts_before + 1), starts is not None)
