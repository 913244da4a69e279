"""What Redis keeps of a task cannot be read there, and a message that was not sealed for its task is not done."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.celery_app import create_producer
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.result_backend import ENDED_KEY, AttemptFailed, parse_report
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import TaskOutcome, open_outcome
from vestibule.client_service.tasks import process_data_task
from vestibule.contracts.tasks import QUEUE
from vestibule.encryption import Purpose, add_key

MARKER = "zq7marker9xy"
WITHIN_S = 120.0


@contextmanager
def _sending(place: Any) -> Iterator[Callable[[str], str]]:
    """Give a function that sends a task and returns its id."""
    producer = create_producer(place.settings, place.cipher)

    def send(text: str) -> str:
        return str(process_data_task.delay(text).id)

    yield send
    producer.close()


def _wait(place: Any, task_id: str) -> TaskOutcome:
    async def ask() -> TaskOutcome:
        async with AsyncRedis.from_url(place.settings.redis_url) as redis, asyncio.timeout(WITHIN_S):
            while (trace := await QueueView(redis).read(task_id)).result is None:  # noqa: ASYNC110 - a worker sets it
                await asyncio.sleep(0.02)
        return open_outcome(place.cipher, task_id, trace.result)

    return asyncio.run(ask())


def _redis_keeps(settings: ClientSettings) -> bytes:
    """Return everything in Redis, with what is in base64 decoded beside it."""
    kept = b""
    with Redis.from_url(settings.redis_url) as redis:
        for key in redis.scan_iter():
            match redis.type(key):
                case b"list":
                    values = redis.lrange(key, 0, -1)
                case b"hash":
                    values = [part for pair in redis.hgetall(key).items() for part in pair]
                case b"string":
                    values = [redis.get(key)]
                case _:
                    values = [redis.dump(key)]
            kept += b"\n".join([key, *values])
            kept += b"".join(base64.b64decode(json.loads(value)["body"]) for value in values if b'"body"' in value)
    return kept


def _forms(text: str) -> list[bytes]:
    """Return the ways in which `text` can stand: as it is, and in base64 at each of the three offsets."""
    return [text.encode(), *(base64.b64encode(b"x" * shift + text.encode())[4:-4] for shift in range(3))]


def _assert_nothing_of_it(text: str, *sinks: bytes) -> None:
    for sink in sinks:
        assert [] == [form for form in _forms(text) if form in sink]


def test_redis_keeps_no_data_and_no_result(place: Any, start_worker: Callable[[], Path]) -> None:
    """Neither a key nor the append-only file holds an argument while it waits, nor a result when it is there."""
    with _sending(place) as send:
        task_ids = [send(f"{MARKER} {number}") for number in range(5)]
        queued = _redis_keeps(place.settings)
        assert task_ids[4].encode() in queued
        _assert_nothing_of_it(MARKER, queued, place.append_only_files())
        output = start_worker()
        results = [_wait(place, task_id).result for task_id in task_ids]
    assert [f"{MARKER.upper()} {number}" for number in range(5)] == results
    done = _redis_keeps(place.settings)
    assert f"celery-task-meta-{task_ids[0]}".encode() in done
    written = b"".join(path.read_bytes() for path in (place.settings.data_dir / "logs").iterdir())
    for text in (MARKER, MARKER.upper()):
        _assert_nothing_of_it(text, done, place.append_only_files(), output.read_bytes(), written)


def _change(message: dict[str, Any], how: str, other: dict[str, Any]) -> None:
    match how:
        case "a flipped bit":
            body = bytearray(base64.b64decode(message["body"]))
            body[-1] ^= 1
            message["body"] = base64.b64encode(body).decode()
        case "the body of another task":
            message["body"] = other["body"]
        case "plain JSON":
            body = json.dumps([[MARKER], {}, {}])
            message |= {"body": base64.b64encode(body.encode()).decode(), "content-type": "application/json"}
        case "raw bytes":
            message |= {"body": base64.b64encode(MARKER.encode()).decode(), "content-type": "application/data"}
        case "not even base64":
            message["body"] = f"*{MARKER}*"
        case "nothing":
            message["body"] = ""
        case "no headers":
            message["headers"] = {"task": MARKER}
        case "another name":
            message["headers"]["task"] = MARKER


WRONG_MESSAGES = (
    "a flipped bit",
    "the body of another task",
    "plain JSON",
    "raw bytes",
    "not even base64",
    "nothing",
    "no headers",
    "another name",
)


def test_what_was_not_sealed_for_the_task_is_not_done(
    place: Any, start_worker: Callable[[], Path], wait_until: Callable[..., Any]
) -> None:
    """Who can write into Redis cannot have anything done; the worker says so without content, and goes on."""
    refused: dict[str, str] = {}
    with _sending(place) as send, Redis.from_url(place.settings.redis_url) as redis:
        send("from another task")
        other = json.loads(redis.lpop(QUEUE))
        messages = []
        for how in WRONG_MESSAGES:
            refused[how] = send("good morning")
            message = json.loads(redis.lpop(QUEUE))
            _change(message, how, other)
            messages.append(json.dumps(message))
        redis.lpush(QUEUE, *messages)
        output = start_worker()
        good = send("good evening")
        assert "GOOD EVENING" == _wait(place, good).result
        assert [] == [how for how, bad in refused.items() if redis.exists(f"celery-task-meta-{bad}")]
        # Whoever looks after the task hears of it, and sends it again as it was.
        reports = [parse_report(place.cipher, report) for report in redis.lrange(ENDED_KEY, 0, -1)]
        told = [(one.task_id, one.error, one.attempts) for one in reports if isinstance(one, AttemptFailed)]
        unreported = [how for how, bad in refused.items() if (bad, "MessageRefused", 1) not in told]
        assert ["no headers"] == unreported
        # It is neither in the queue any more nor on its way back to it.
        wait_until(lambda: not redis.llen(QUEUE) and not redis.hlen("unacked"), what="an empty queue")
    log_file = place.settings.data_dir / "logs" / "app.log"
    wait_until(lambda: log_file.read_text().count('"message_refused"') >= len(refused), what="a line for each refusal")
    log = log_file.read_text()
    complaints = [line for line in map(json.loads, log.splitlines()) if line["level"] in ("error", "critical")]
    assert ["message_refused"] * len(refused) == [line["event"] for line in complaints]
    for text in (MARKER, "good morning", "GOOD MORNING", "from another task"):
        _assert_nothing_of_it(text, log.encode(), output.read_bytes())


def test_a_rotation_is_seen_by_a_running_worker(place: Any, start_worker: Callable[[], Path]) -> None:
    """What waits since before the rotation is done, and so is what comes after it, without a restart."""
    with _sending(place) as send:
        before = send("before")
        start_worker()
        assert "BEFORE" == _wait(place, before).result
        key = add_key(place.settings.key_ring_path, Purpose.DATA)
    with _sending(place) as send:
        after = send("after")
        assert "AFTER" == _wait(place, after).result
        with Redis.from_url(place.settings.redis_url) as redis:
            assert bytes.fromhex(key.id) == redis.get(f"celery-task-meta-{after}")[1:5]
        assert "BEFORE" == _wait(place, before).result
