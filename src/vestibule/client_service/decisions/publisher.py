"""Publishes decisions of this process in Redis while somebody listens, and how many it made by minute in any case.

While nobody listens it costs one pipeline a second. Where all who listen take a few a second only, so many of each kind
are published, and the others are counted by kind: their records are not even made. Each published decision has a number
and so has each that was left out, so a listener sees from a gap how many it missed: that the queue here was full, or
that the connection broke.
"""

import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.decisions.rates import RateCounter
from vestibule.contracts.decisions import DecisionKind, DecisionRecord
from vestibule.runtime.background import in_background, repeat

CHANNEL = "vestibule:decisions"
# Exists while somebody listens to every decision, and expires a little after the last one has gone.
LISTENED_KEY = "vestibule:decisions:listened"
LISTENED_FOR_S = 5
# The same of those who take some a second: one of them is published for the nearest of these that is not less.
TIERS = (10, 100, 1000)
KEYS = (LISTENED_KEY, *(f"{LISTENED_KEY}:{tier}" for tier in TIERS))
CHECK_EVERY_S = 1.0
PUBLISH_EVERY_S = 0.2
# Where all who listen take a few a second: each message is written to Redis, read, and sent to each of them.
PUBLISH_SAMPLES_EVERY_S = 0.5
SECOND_S = 1.0
# Decisions that wait to be published, and those of one message.
MAX_WAITING = 5_000
MAX_IN_MESSAGE = 500
# Kinds of which decisions are counted until the next message.
MAX_KINDS = 1_000


class PublishedDecisions(BaseModel):
    """A message: decisions of one process by their numbers, and the number of the last one that it made.

    `left_out` counts by kind those whose records nobody needs, and `all_left_out` is how many that were ever.
    """

    publisher: str
    last: int
    decisions: list[tuple[int, DecisionRecord]]
    left_out: list[tuple[DecisionKind, int]] = []
    all_left_out: int = 0


def key_for(at_most: int | None) -> str:
    """Return the key that says that somebody listens who takes so many a second; None is every one."""
    if at_most is None:
        return LISTENED_KEY
    return next(f"{LISTENED_KEY}:{tier}" for tier in TIERS if tier >= at_most)


class DecisionPublisher:
    """Holds the decisions of this process until they are published; what does not fit is left out, and is counted."""

    def __init__(self, rates: RateCounter) -> None:
        self.is_heard = False
        self._rates = rates
        # The thread that publishes takes what the one that decides puts.
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._name = secrets.token_hex(8)
        self._last = 0
        self._waiting: deque[tuple[int, DecisionRecord]] = deque()
        self._checked_at = float("-inf")
        # How many of each kind are published a second; None is every one.
        self._most: int | None = None
        self._second_began = 0.0
        self._this_second: Counter[DecisionKind] = Counter()
        self._left_out: Counter[DecisionKind] = Counter()
        self._all_left_out = 0

    def takes(self, kind: DecisionKind) -> bool:
        """Say whether the record of a decision that was just made is needed; if not, the decision is counted."""
        if self._most is None:
            return True
        now = time.monotonic()
        with self._lock:
            if now - self._second_began >= SECOND_S:
                self._second_began = now
                self._this_second.clear()
            self._this_second[kind] += 1
            if self._this_second[kind] <= self._most:
                return True
            self._all_left_out += 1
            # One that finds no place is missed: it is not among those that the message counts.
            if kind in self._left_out or len(self._left_out) < MAX_KINDS:
                self._left_out[kind] += 1
            return False

    def put(self, record: DecisionRecord) -> None:
        """Have a decision published soon."""
        self._last += 1
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((self._last, record))

    @asynccontextmanager
    async def running(self, redis: Redis) -> AsyncIterator[None]:
        """Publish in the background while the context is open."""

        async def step() -> float:
            if self._is_check_due():
                pipeline = redis.pipeline(transaction=False)
                self._fill(pipeline)
                self._note((await pipeline.execute())[0])
            while (message := self._take()) is not None:
                await redis.publish(CHANNEL, message)
            return self._pause_s

        # Redis that is away is reported elsewhere, and what is not published is counted.
        async with in_background(repeat(step, on_error=_ignore, outages=(RedisError, OSError))):
            yield

    def start_thread(self, redis: Any) -> None:
        """Publish in a thread until this process ends; `redis` blocks."""
        self._begin()  # a fork has the name and the numbers of its parent
        threading.Thread(target=self._run, args=(redis,), name="decision-publisher", daemon=True).start()

    def _run(self, redis: Any) -> None:
        pause = threading.Event()
        while not pause.wait(self._pause_s):
            try:
                if self._is_check_due():
                    pipeline = redis.pipeline(transaction=False)
                    self._fill(pipeline)
                    self._note(pipeline.execute()[0])
                while (message := self._take()) is not None:
                    redis.publish(CHANNEL, message)
            except (RedisError, OSError):
                continue

    @property
    def _pause_s(self) -> float:
        return PUBLISH_EVERY_S if self._most is None else PUBLISH_SAMPLES_EVERY_S

    def _is_check_due(self) -> bool:
        now = time.monotonic()
        is_due = now - self._checked_at >= CHECK_EVERY_S
        if is_due:
            self._checked_at = now
        return is_due

    def _fill(self, pipeline: Any) -> None:
        pipeline.mget(KEYS)
        self._rates.add_to(pipeline)

    def _note(self, heard: Sequence[bytes | None]) -> None:
        """Take for which of `KEYS` somebody listens."""
        of_all, *of_some = heard
        most = max((tier for tier, one in zip(TIERS, of_some, strict=True) if one is not None), default=None)
        self._most = None if of_all is not None else most
        self.is_heard = of_all is not None or most is not None
        if not self.is_heard:
            with self._lock:
                self._waiting.clear()
                self._left_out.clear()

    def _take(self) -> bytes | None:
        count = min(len(self._waiting), MAX_IN_MESSAGE)
        taken = [self._waiting.popleft() for _ in range(count)]
        with self._lock:
            left_out, self._left_out = self._left_out, Counter()
            all_left_out = self._all_left_out
        if not taken and not left_out:
            return None
        last = self._last if not self._waiting else taken[-1][0]
        message = PublishedDecisions.model_construct(
            publisher=self._name,
            last=last,
            decisions=taken,
            left_out=list(left_out.items()),
            all_left_out=all_left_out,
        )
        return message.model_dump_json(exclude_none=True).encode()


def _ignore(_error: Exception) -> None:
    """Do nothing: a message that was not published is missed by listeners, and they are told how many it had."""
