"""Streams decisions of all processes to listeners as they are made, as server-sent events, in bounded memory.

Source: WHATWG, HTML, section 9.2, "Server-sent events".
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial

import orjson
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.decisions.publisher import CHANNEL, LISTENED_FOR_S, PublishedDecisions, key_for
from vestibule.contracts.decisions import DecisionFilter, DecisionKind, DecisionRecord
from vestibule.contracts.errors import Unavailable
from vestibule.runtime.background import in_background, repeat

HEARTBEAT_S = 10.0
# A stream ends after this time. The listener connects again, and its token is checked again.
LONGEST_S = 300.0
# Decisions that wait for a slow listener; what comes beyond takes the place of the oldest, which it has missed.
MAX_BUFFERED = 1000
MAX_LISTENERS = 200
MAX_PER_TOKEN = 20
# A tenant can make itself tokens; half of the places stay for others.
MAX_PER_TENANT = 100
# Processes whose last number is known.
MAX_PUBLISHERS = 10_000
ANNOUNCE_EVERY_S = 1.0
READ_TIMEOUT_S = 0.5
# A listener is told so often how many were left out, and takes so many in this time.
SECOND_S = 1.0
Clock = Callable[[], float]


@dataclass(slots=True)
class Listener:
    """One listener: what it wants, what waits for it, and how many decisions it has missed since it was told.

    What it has missed is not what was left out because it takes so many a second only.
    """

    wanted: DecisionFilter
    # Decisions a second that it takes; None is every one.
    at_most: int | None = None
    clock: Clock = time.monotonic
    waiting: deque[bytes] = field(default_factory=deque)
    missed: int = 0
    left_out: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    _second_began: float = float("-inf")
    _this_second: int = 0
    _told_at: float = float("-inf")

    def offer(self, record: DecisionRecord, rendered: Callable[[], bytes]) -> None:
        """Add a decision if it is wanted, and if this second has a place for it."""
        if not self.wanted.matches(record):
            return
        if not self._has_place():
            self._leave_out(1)
            return
        if len(self.waiting) >= MAX_BUFFERED:
            self.waiting.popleft()
            self.missed += 1
        self.waiting.append(rendered())
        self.woken.set()

    def leave_out(self, kind: DecisionKind, count: int) -> None:
        """Count decisions of which no record was made."""
        # One that takes all has come just now.
        if self.at_most is not None and self.wanted.matches(kind):
            self._leave_out(count)

    def _has_place(self) -> bool:
        if self.at_most is None:
            return True
        now = self.clock()
        if now - self._second_began >= SECOND_S:
            self._second_began, self._this_second = now, 0
        self._this_second += 1
        return self._this_second <= self.at_most

    def _leave_out(self, count: int) -> None:
        # Once is enough: it is told when a second has passed, and then of all.
        if not self.left_out:
            self.woken.set()
        self.left_out += count

    def silence_s(self, longest_s: float) -> float:
        """Return how long it may be silent."""
        if not self.left_out:
            return longest_s
        return min(longest_s, max(0.0, self._told_at + SECOND_S - self.clock()))

    def miss(self, count: int) -> None:
        """Note that decisions were lost on the way to all listeners, whatever these want."""
        self.missed += count
        self.woken.set()

    def take(self) -> bytes:
        """Return what is due: how many were missed, what waits, and once a second how many were left out."""
        self.woken.clear()
        events = [*([_missed(self.missed)] if self.missed else ()), *self.waiting]
        self.missed = 0
        self.waiting.clear()
        now = self.clock()
        if self.left_out and now - self._told_at >= SECOND_S:
            events.append(_sampled(self.left_out))
            self.left_out, self._told_at = 0, now
        return b"".join(events)


class DecisionStream:
    """Reads what processes publish while somebody listens, and hands it to the listeners of this process."""

    def __init__(self, redis: Redis, heartbeat_s: float = HEARTBEAT_S, longest_s: float = LONGEST_S) -> None:
        self._redis = redis
        self._heartbeat_s = heartbeat_s
        self._longest_s = longest_s
        self._listeners: list[Listener] = []
        self._holders: Counter[Hashable] = Counter()
        self._numbers: dict[str, tuple[int, int]] = {}
        self._wake = asyncio.Event()
        self._log = structlog.get_logger("vestibule.decisions")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read in the background while the context is open and somebody listens."""
        async with in_background(repeat(self._step, on_error=self._log_error, outages=(RedisError, OSError))):
            yield

    def listen(
        self, wanted: DecisionFilter, token_id: str, tenant: str, at_most: int | None = None
    ) -> AsyncIterator[bytes]:
        """Return the events from now on; a decision that is made within the next second or so may be missing.

        Raises:
            Unavailable: too many listen, in all, of this tenant or with this token.
        """
        holders: dict[Hashable, int] = {("token", token_id): MAX_PER_TOKEN, ("tenant", tenant): MAX_PER_TENANT}
        if self._is_full(holders):
            raise Unavailable("decisions", "Too many clients listen to decisions; retry later.", retry_after_s=10)
        return self._events(Listener(wanted, at_most), holders)

    def _is_full(self, holders: Mapping[Hashable, int]) -> bool:
        return len(self._listeners) >= MAX_LISTENERS or any(self._holders[one] >= most for one, most in holders.items())

    async def _events(self, listener: Listener, holders: Mapping[Hashable, int]) -> AsyncIterator[bytes]:
        if self._is_full(holders):
            return  # others began at the same time
        self._listeners.append(listener)
        self._holders.update(holders.keys())
        self._wake.set()
        until = time.monotonic() + self._longest_s
        try:
            yield b": listening\n\n"
            while (left_s := until - time.monotonic()) > 0:
                try:
                    async with asyncio.timeout(min(left_s, listener.silence_s(self._heartbeat_s))):
                        await listener.woken.wait()
                except TimeoutError:
                    yield listener.take() or b": nothing new\n\n"
                else:
                    if events := listener.take():
                        yield events
        finally:
            self._listeners.remove(listener)
            # Without those that hold none.
            self._holders -= Counter(holders.keys())

    async def _step(self) -> float:
        self._wake.clear()
        if not self._listeners:
            self._numbers.clear()
            await self._wake.wait()
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            announce_at = 0.0
            while self._listeners:
                if time.monotonic() >= announce_at:
                    for key in {key_for(one.at_most) for one in self._listeners}:
                        await self._redis.set(key, "1", ex=LISTENED_FOR_S)
                    announce_at = time.monotonic() + ANNOUNCE_EVERY_S
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=READ_TIMEOUT_S)
                if message is not None:
                    self._receive(message["data"])
        return 0.0

    def _receive(self, content: bytes) -> None:
        try:
            message = PublishedDecisions.model_validate_json(content)
        except ValidationError:
            return  # of another version
        for _number, record in message.decisions:
            # The same for all, and made for the first that takes it.
            rendered = lru_cache(1)(partial(_event, record))
            for listener in self._listeners:
                listener.offer(record, rendered)
        for kind, count in message.left_out:
            for listener in self._listeners:
                listener.leave_out(kind, count)
        if missed := self._missed_before(message):
            for listener in self._listeners:
                listener.miss(missed)

    def _missed_before(self, message: PublishedDecisions) -> int:
        """Return how many decisions its process made since its message before, and which are not in this one."""
        before = self._numbers.get(message.publisher)
        if len(self._numbers) >= MAX_PUBLISHERS:
            self._numbers.clear()
        self._numbers[message.publisher] = (message.last, message.all_left_out)
        if before is None:
            return 0
        made = message.last - before[0] + message.all_left_out - before[1]
        return max(0, made - len(message.decisions) - sum(count for _kind, count in message.left_out))

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, (RedisError, OSError)):
            self._log.error("decision_stream_failed", exc_info=error)


def _event(record: DecisionRecord) -> bytes:
    data = record.model_dump_json(exclude_none=True).encode()
    return b"id: %b\nevent: decision\ndata: %b\n\n" % (record.decision_id.encode(), data)


def _missed(count: int) -> bytes:
    return b"event: missed\ndata: %b\n\n" % orjson.dumps({"missed": count})


def _sampled(count: int) -> bytes:
    return b"event: sampled\ndata: %b\n\n" % orjson.dumps({"left_out": count})
