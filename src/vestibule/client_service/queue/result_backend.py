"""The result backend: what workers write to Redis about tasks, and the names of the keys."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from celery import states
from celery.backends.redis import RedisBackend, SentinelBackend
from redis.backoff import NoBackoff
from redis.retry import Retry

from vestibule.client_service.queue.application import decrypt_content, encrypt_content
from vestibule.client_service.queue.scripts import DirectScripts
from vestibule.contracts.queue import PAUSED_KEY, WHOLE_QUEUE
from vestibule.contracts.tasks import END_CHANNEL, ERROR_DETAILS, join_error, split_error
from vestibule.encryption import Cipher, DecryptionFailed

BRIEF_S = 1.0

RECORD_PREFIX = "vestibule:task:"
RESULT_PREFIX = "celery-task-meta-"  # Celery's own name for the key of a result
ENDED_KEY = "vestibule:ended"
# Ends that no worker writes: the ids of tasks that were cancelled. A process that waits for ends has a channel of its
# own below this name, on which a worker publishes the id of a task and its encrypted result.
ENDS_CHANNEL = "vestibule:ends"
# A longer result is read when it is asked for.
MAX_PUBLISHED_BYTES = 8_192
# A longer result would hold up the parent of a pool of processes.
MAX_HELD_BYTES = 262_144

STARTED_AT, STARTS, IS_CANCELLED, HAS_ENDED = "started_at", "starts", "is_cancelled", "has_ended"
# The associated data of reports.
REPORT = b"report of a worker"
DEFAULTS_OF_REPORT: list[Any] = ["", "", 0, 0.0, None, None]
# In the report of a task that a worker hands back, in place of an error.
PAUSED = "paused"
# Returns the number of starts, or nothing where the task is over: a worker that skips it leaves its record as it is. So
# it does with a paused task, for which it returns the number of starts so far, and one more, as a negative number.
# Where Redis has no pauses, not even that there are none, ARGV[4] says whether the task is paused.
BEGIN = f"""
    local known = redis.call('HMGET', KEYS[1], '{IS_CANCELLED}', '{HAS_ENDED}', '{STARTS}')
    if known[1] or known[2] then return nil end
    local marks = redis.call('HMGET', KEYS[2], '{WHOLE_QUEUE}', ARGV[3])
    local is_unknown = not marks[1] and ARGV[4] == '1'
    if is_unknown or string.find(marks[1] or '', ':1', 1, true) or string.find(marks[2] or '', ':1', 1, true) then
        return -1 - (tonumber(known[3]) or 0)
    end
    redis.call('HSET', KEYS[1], '{STARTED_AT}', ARGV[1])
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return redis.call('HINCRBY', KEYS[1], '{STARTS}', 1)
"""

# Writes the result of a task that has none, says that it has ended, and tells the requests that wait. What the channel
# in ARGV[4] hears is the result that stays, of a task that was not cancelled; where it hears none, it is looked up.
END = f"""
    local is_first = redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2], 'NX')
    if ARGV[4] ~= '' then
        local cancelled = redis.call('HEXISTS', KEYS[2], '{IS_CANCELLED}') == 1
        local is_told = is_first and not cancelled and #ARGV[1] <= {MAX_PUBLISHED_BYTES}
        redis.call('PUBLISH', ARGV[4], ARGV[3] .. (is_told and ARGV[1] or ''))
    end
    redis.call('PUBLISH', KEYS[1], '')
    redis.call('HSET', KEYS[2], '{HAS_ENDED}', '1')
    redis.call('EXPIRE', KEYS[2], ARGV[2])
    redis.call('RPUSH', KEYS[3], ARGV[3])
"""


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An attempt that failed with a temporary error, and the least seconds until the next one."""

    task_id: str
    error: str
    attempts: int
    retry_after_s: float = 0.0
    worker: str | None = None
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class HandedBack:
    """A task that a worker did not start, because it is paused; an earlier attempt at it may have started."""

    task_id: str
    has_started: bool
    at: float


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """The end of a task as a worker writes it to Redis; `channel` hears of it with the encrypted result."""

    task_id: str
    result: bytes
    channel: str | None = None

    def command(self, expires_s: int) -> tuple[Any, ...]:
        """Return the command that writes the end, which may be sent again."""
        keys = RESULT_PREFIX + self.task_id, RECORD_PREFIX + self.task_id, ENDED_KEY
        return "EVAL", END, len(keys), *keys, self.result, expires_s, self.task_id, self.channel or ""


class _Reporting:
    """Celery's results in Redis; the first result of a task stays, and waiting requests are notified of it.

    Celery reads the old result before it writes a new one; here Redis itself keeps the old one, in the same step.
    """

    # Celery's own, which says nothing of their types.
    app: Any
    client: Any
    connparams: dict[str, Any]
    expires: Any
    ensure: Any
    _create_client: Any
    _holds_ends = False
    _held: TaskEnd | None = None

    @cached_property
    def scripts(self) -> DirectScripts:
        """Runs the scripts of this process."""
        return DirectScripts(self.client)

    def open_brief_client(self) -> Any:
        """Return a client that tries once and for a second, for what is tried again later anyway."""
        brief = {"socket_timeout": BRIEF_S, "socket_connect_timeout": BRIEF_S, "retry_on_timeout": False}
        return self._create_client(**self.connparams | brief | {"retry": Retry(NoBackoff(), 0)})

    def report_failed_attempt(self, failed: AttemptFailed) -> None:
        """Report that an attempt failed with a temporary error, a kind that may have a cause (`join_error`)."""
        report = [failed.task_id, failed.error, failed.attempts, failed.retry_after_s, failed.worker, failed.started_at]
        self.client.rpush(ENDED_KEY, encrypt_content(self.app.cipher, report, REPORT))

    def hand_back(self, task_id: str, *, has_started: bool) -> None:
        """Report that a task was not started, because it is paused; `has_started` says whether it ever was."""
        report = [task_id, PAUSED, int(has_started), time.time()]
        self.client.rpush(ENDED_KEY, encrypt_content(self.app.cipher, report, REPORT))

    def _store_result(
        self, task_id: Any, result: Any, state: str, traceback: Any = None, request: Any = None, **_options: Any
    ) -> Any:
        del traceback  # its lines may quote the data
        meta = {
            "task_id": task_id if isinstance(task_id, str) else task_id.decode(),
            "status": state,
            "result": result,
            "date_done": datetime.now(UTC).isoformat(),
            "started_at": getattr(request, "started_at", None),
            "worker": getattr(request, "hostname", None),
            "attempt": getattr(request, "attempt", None),
            "write_back": getattr(request, "write_back", None),
            "kind": getattr(request, "failed_by", None),
        }
        content = encrypt_content(self.app.cipher, meta, place_of_result(meta["task_id"]))
        end = TaskEnd(meta["task_id"], content, _channel_of(request))
        if self._holds_ends and state == states.SUCCESS and len(content) <= MAX_HELD_BYTES:
            self._held = end
        else:
            self.ensure(self._write, (end,))
        return result

    def hold_ends(self) -> None:
        """Hold the end of each task that succeeds until `take_end`, instead of writing it."""
        self._holds_ends = True

    def take_end(self) -> TaskEnd | None:
        """Return the end that is held, if any."""
        end, self._held = self._held, None
        return end

    def _write(self, end: TaskEnd) -> None:
        self.client.execute_command(*end.command(self.expires))


def _channel_of(request: Any) -> str | None:
    # A message can name any channel.
    named = getattr(request, END_CHANNEL, None)
    return named if isinstance(named, str) and named.startswith(f"{ENDS_CHANNEL}:") else None


def place_of_result(task_id: str) -> bytes:
    """Return the associated data of the result of a task: nothing else in Redis can be decrypted as that result."""
    return f"result of {task_id}".encode()


def parse_report(cipher: Cipher, report: bytes) -> str | AttemptFailed | HandedBack:
    """Parse a report of a worker: the id of a task that has ended, a failed attempt, or a task that is paused.

    An end is only a hint, since its result is encrypted. The others have no result, so their reports are encrypted.

    Raises:
        ValueError: no worker has reported this.
    """
    if len(report) == len(str(UUID(int=0))):
        return str(UUID(report.decode()))
    try:
        # Workers of revisions before report less.
        content = list(decrypt_content(cipher, report, REPORT))
    except DecryptionFailed as failure:
        raise ValueError("it is not encrypted as a report") from failure
    task_id, error, attempts, retry_after_s, worker, started_at = content + DEFAULTS_OF_REPORT[len(content) :]
    if error == PAUSED:
        return HandedBack(task_id, has_started=bool(attempts), at=float(retry_after_s))
    kind, cause = split_error(error)
    error = join_error(kind if kind in ERROR_DETAILS else "TaskFailed", cause)
    return AttemptFailed(task_id, error, int(attempts), float(retry_after_s), worker, started_at)


class ReportingBackend(_Reporting, RedisBackend):  # type: ignore[misc]
    """The results in one Redis."""


class ReportingSentinelBackend(_Reporting, SentinelBackend):  # type: ignore[misc]
    """The results in the Redis primary that the Sentinels name."""


@dataclass(frozen=True, slots=True)
class StartedAttempt:
    """An attempt that a worker starts. If it `is_paused`, it does not; `number` counts the attempts so far."""

    number: int
    is_wanted: bool
    is_paused: bool = False


def begin_attempt(
    redis: Any, task_id: str, attempts_before: int, expires_s: int, processor: str = "", *, needs_marks: bool = False
) -> StartedAttempt:
    """Record that a worker starts a task, and return the attempt; `redis` is a synchronous client, or its scripts.

    A task is no longer wanted if it was cancelled, or has ended because its message was delivered twice. It is paused
    if its processor or the whole queue is, and with `needs_marks` also if Redis does not know that.
    """
    keys = RECORD_PREFIX + task_id, PAUSED_KEY
    starts = redis.eval(BEGIN, len(keys), *keys, str(time.time()), expires_s, processor, int(needs_marks))
    if starts is not None and int(starts) < 0:
        return StartedAttempt(max(-1 - int(starts), attempts_before), is_wanted=True, is_paused=True)
    return StartedAttempt(max(int(starts or 0), attempts_before + 1), starts is not None)
