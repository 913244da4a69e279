"""The tasks that wait in Redis: how many for each priority, which is next, and since when it waits."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio.client import Pipeline

from vestibule.contracts.tasks import QUEUES, SENT_AT


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue: how many messages it holds, and the one that a worker takes next, its oldest."""

    depth: int
    next: bytes | None


def read_queue_depth(pipeline: Pipeline) -> None:
    """Add the commands for the queues of all priorities to `pipeline`, so that one round trip is enough."""
    for queue in QUEUES.values():
        pipeline.llen(queue)
        # Workers take from this end.
        pipeline.lindex(queue, -1)


def queue_depth_of(answers: Sequence[Any]) -> list[QueueDepth]:
    """Return the queues, those of higher priorities first, from the answers to the commands of `read_queue_depth`."""
    return [QueueDepth(*answer) for answer in zip(answers[::2], answers[1::2], strict=True)]


def age_of(message: bytes) -> float | None:
    """Return for how many seconds a message of the queue has waited; None where it does not say when it was sent."""
    try:
        sent_at: Any = orjson.loads(message)["headers"][SENT_AT]
        return max(0.0, time.time() - float(sent_at))
    except (ValueError, TypeError, LookupError):
        return None  # not a message of Vestibule
