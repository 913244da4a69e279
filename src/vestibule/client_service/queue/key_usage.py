"""Counts which keys encrypted the tasks and results in Redis."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.contracts.tasks import QUEUES, TAKEN
from vestibule.encryption import DecryptionFailed, key_id_of

MESSAGES_A_STEP = 500


def count_queue_keys(redis: Any) -> Counter[str]:
    """Return how many messages and results each key has encrypted, by its id; `redis` is a synchronous client."""
    counts: Counter[str] = Counter()
    for envelope in _envelopes(redis):
        try:
            counts[key_id_of(envelope)] += 1
        except DecryptionFailed:
            continue  # no key decrypts it, so it needs none
    return counts


def _envelopes(redis: Any) -> Iterator[bytes]:
    # A task moves from the queue to the unacknowledged messages and on to the results. In this order, one that moves
    # meanwhile is counted twice, not missed.
    for queue in QUEUES.values():
        for start in range(0, redis.llen(queue), MESSAGES_A_STEP):
            for message in redis.lrange(queue, start, start + MESSAGES_A_STEP - 1):
                yield _body(message)
    for _tag, kept in redis.hscan_iter(TAKEN):
        yield _body(kept)
    for key in redis.scan_iter(RESULT_PREFIX + "*", count=1000):
        yield redis.getrange(key, 0, 255)


def _body(raw: bytes) -> bytes:
    try:
        message = json.loads(raw)
        # An unacknowledged message stands beside its exchange and its routing key.
        body = message[0]["body"] if isinstance(message, list) else message["body"]
        return base64.b64decode(body)
    except (ValueError, TypeError, LookupError, binascii.Error):
        return b""
