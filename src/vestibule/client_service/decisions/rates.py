"""Counts decisions by minute, of all processes, in Redis: how many were clean, and how many had which action.

Each process adds what it decided once a second. A Redis that is lost loses the curve, and no decision: the exact counts
of each day are in the database service.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.contracts.decisions import Action, DecisionRates, RateMinute
from vestibule.contracts.errors import Unavailable
from vestibule.policy.decision_log import DecisionLog

# A hash for each minute and tenant, and one for each minute of all.
PREFIX = "vestibule:decisions:rates:"
MINUTE_S = 60
KEPT_FOR_S = 25 * 3600
MOST_MINUTES = 1440
CLEAN = "clean"
READ_TIMEOUT_S = 5.0
Clock = Callable[[], float]


class RateCounter:
    """What this process decided since it was last added, by tenant. It reads counts that are there, off any request."""

    def __init__(self, log: DecisionLog, clock: Clock = time.time) -> None:
        self._log = log
        self._clock = clock
        self._added: Counter[tuple[str, str]] = Counter()

    def add_to(self, pipeline: Any) -> None:
        """Put what is new into a pipeline. What that loses is not added again, since it may have arrived."""
        total = self._total()
        new = total - self._added
        self._added = total
        minute = int(self._clock()) // MINUTE_S
        for (tenant, field), count in new.items():
            for key in (key_of(minute, tenant), key_of(minute, None)):
                pipeline.hincrby(key, field, count)
                pipeline.expire(key, KEPT_FOR_S)

    def _total(self) -> Counter[tuple[str, str]]:
        total: Counter[tuple[str, str]] = Counter()
        # Copies: other threads add to both.
        for (tenant, *_), count in dict(self._log.clean).items():
            total[tenant, CLEAN] += count
        for (tenant, action), count in dict(self._log.recorded).items():
            total[tenant, action or CLEAN] += count
        return total


class RateReader:
    """Reads what all processes have added."""

    def __init__(self, redis: Redis, clock: Clock = time.time) -> None:
        self._redis = redis
        self._clock = clock

    async def read(self, tenant: str | None, minutes: int) -> DecisionRates:
        """Return the counts of the last minutes, oldest first, of a tenant or of all.

        Raises:
            Unavailable: Redis does not answer.
        """
        last = int(self._clock()) // MINUTE_S
        span = range(last - minutes + 1, last + 1)
        try:
            async with asyncio.timeout(READ_TIMEOUT_S), self._redis.pipeline(transaction=False) as pipeline:
                for minute in span:
                    pipeline.hgetall(key_of(minute, tenant))
                found = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("queue", "The counts by minute are in Redis, which does not answer.") from error
        return DecisionRates(minutes=[_minute(*one) for one in zip(span, found, strict=True)])


def key_of(minute: int, tenant: str | None) -> str:
    """Return the key of a minute since 1970, of a tenant or of all."""
    return f"{PREFIX}{minute}" if tenant is None else f"{PREFIX}{minute}:{tenant}"


def _minute(minute: int, found: dict[bytes, bytes]) -> RateMinute:
    counts = {name.decode(): int(count) for name, count in found.items()}
    return RateMinute(
        at=datetime.fromtimestamp(minute * MINUTE_S, UTC),
        clean=counts.get(CLEAN, 0),
        actions={action: counts[action] for action in Action if action in counts},
    )
