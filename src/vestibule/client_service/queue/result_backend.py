"""What workers put into Redis about tasks, and under which names."""

import time
from dataclasses import dataclass
from typing import Any

from celery.backends.redis import RedisBackend, SentinelBackend

RECORD_PREFIX = "vestibule:task:"
RESULT_PREFIX = "celery-task-meta-"  # Celery's own name for the key of a result
ENDED_KEY = "vestibule:ended"

STARTED_AT, STARTS, IS_CANCELLED, HAS_ENDED = "started_at", "starts", "is_cancelled", "has_ended"


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt that failed in a way that may pass."""

    task_id: str
    kind: str
    attempts: int


class _Reporting:
    """Celery's results in Redis, where the first result of a task stands, and each is told to those who wait for it.

    Celery reads the old result before it writes a new one; here Redis itself keeps the old one, in the same step.
    """

    # Celery's own, which says nothing of their types.
    client: Any
    expires: Any
    encode: Any
    get_key_for_task: Any
    _get_result_meta: Any
    _set_with_state: Any

    def report_failed_attempt(self, task_id: str, kind: str, attempts: int) -> None:
        """Tell that an attempt failed in a way that may pass."""
        self.client.rpush(ENDED_KEY, f"{task_id} {kind} {attempts}")

    def _store_result(
        self, task_id: Any, result: Any, state: str, traceback: Any = None, request: Any = None, **_options: Any
    ) -> Any:
        del traceback  # its lines may quote what was worked on
        meta = self._get_result_meta(result=result, state=state, traceback=None, request=request)
        meta["task_id"] = task_id if isinstance(task_id, str) else task_id.decode()
        meta["started_at"] = getattr(request, "started_at", None)
        meta["attempt"] = getattr(request, "attempt", None)
        meta["write_back"] = getattr(request, "write_back", None)
        meta["kind"] = getattr(request, "failed_by", None)
        self._set_with_state(self.get_key_for_task(task_id), self.encode(meta), state)
        return result

    def _set(self, key: Any, value: Any) -> None:
        name = key if isinstance(key, str) else key.decode()
        # In one packet, and in this order: who is told finds the result there. It needs no transaction.
        with self.client.pipeline(transaction=False) as pipe:
            pipe.set(name, value, ex=self.expires or None, nx=True)
            pipe.publish(name, "")  # who is told looks for itself
            if name.startswith(RESULT_PREFIX):
                task_id = name.removeprefix(RESULT_PREFIX)
                # Stays when the result has gone into the ledger, so that nobody begins the task again.
                pipe.hset(RECORD_PREFIX + task_id, HAS_ENDED, "1")
                pipe.expire(RECORD_PREFIX + task_id, self.expires)
                pipe.rpush(ENDED_KEY, task_id)
            pipe.execute()


def parse_report(report: bytes) -> str | AttemptFailed:
    """Return what a worker said of a task: its id where it has ended, or that an attempt failed.

    Raises:
        ValueError: no worker says that.
    """
    task_id, *failure = report.decode().split(" ")
    if not failure:
        return task_id
    kind, attempts = failure
    return AttemptFailed(task_id, kind, int(attempts))


class ReportingBackend(_Reporting, RedisBackend):  # type: ignore[misc]
    """The results in one Redis."""


class ReportingSentinelBackend(_Reporting, SentinelBackend):  # type: ignore[misc]
    """The results in the Redis that Sentinels name."""


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """A worker's start on a task."""

    number: int
    is_wanted: bool


def begin_attempt(redis: Any, task_id: str, attempts_before: int, expires_s: int) -> StartedAttempt:
    """Record that a worker starts on a task, and say which attempt it is; `redis` is a synchronous client.

    A task is not wanted any more where it was cancelled, or is done: its message had been given out twice.
    """
    key = RECORD_PREFIX + task_id
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.hincrby(key, STARTS, 1)
        pipeline.hset(key, STARTED_AT, str(time.time()))
        pipeline.expire(key, expires_s)
        pipeline.hmget(key, [IS_CANCELLED, HAS_ENDED])
        # Workers of before left no other sign.
        pipeline.exists(RESULT_PREFIX + task_id)
        starts, _set, _expire, (is_cancelled, has_ended), has_result = pipeline.execute()
    is_over = is_cancelled is not None or has_ended is not None or bool(has_result)
    return StartedAttempt(max(int(starts), attempts_before + 1), not is_over)
