"""Probes of real parts: what answers is up, what does not is down, and neither takes long."""

import asyncio
import json
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servers.redis import LocalRedis
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.queue import PAUSED_KEY, WHOLE_QUEUE
from vestibule.contracts.tasks import ALIVE_FOR_S, QUEUE, QUEUES, SENT_AT, WORKERS_KEY, Priority
from vestibule.scheduler_service.availability.probes import (
    BacklogLimits,
    BacklogProbe,
    ProbeResult,
    measure_queue,
    probe_redis,
    probe_service,
    probe_store,
    probe_workers,
)
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.service_client import ServiceResponse

from .conftest import LONG_TIMEOUT_S, LocalEntries, SteadyClock

TIMEOUT_S = 0.3


@pytest.fixture
async def hasty(server: LocalRedis) -> AsyncIterator[Redis]:
    """A client with the short timeout of the scheduler."""
    async with Redis(
        unix_socket_path=str(server.socket), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        yield client


class _Service:
    """A peer with a given answer to `/health`."""

    def __init__(self, **health: object) -> None:
        self._health = health

    async def call(self, method: str, path: str) -> ServiceResponse:
        """Return the answer."""
        assert ("GET", "/health") == (method, path)
        return ServiceResponse(200, self._health)


async def test_a_service_that_answers_and_is_degraded_says_what_is() -> None:
    """Its notes are those of the part; without any, or from an older version that has none, it is well."""
    probed = await probe_service(_Service(status="degraded", notes=["one thing", "another"]))
    assert ProbeResult(is_up=True, is_overloaded=True, note="one thing; another") == probed
    assert [ProbeResult(True)] * 2 == [await probe_service(_Service(**one)) for one in ({"notes": []}, {})]


async def test_a_redis_that_answers_is_up(redis: Redis) -> None:
    """The probe is a PING."""
    assert (await probe_redis(redis)).is_up


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "killed"])
async def test_a_redis_that_does_not_answer_is_down_in_time(
    hasty: Redis, server: LocalRedis, fault: signal.Signals
) -> None:
    """A probe of a dead or frozen Redis ends at its timeout, and leaves nothing hanging."""
    await _until_up(hasty)
    server.process.send_signal(fault)
    if fault == signal.SIGKILL:
        server.process.wait(60)
    for probe in (probe_redis, probe_workers):
        began = time.monotonic()
        with pytest.raises((RedisError, OSError)):
            async with asyncio.timeout(2 * TIMEOUT_S):
                await probe(hasty)
        assert time.monotonic() - began < LONG_TIMEOUT_S
    if fault == signal.SIGSTOP:
        server.process.send_signal(signal.SIGCONT)
        await _until_up(hasty)


async def _until_up(redis: Redis) -> None:
    # On a busy machine also a Redis that is well may answer too late.
    async with asyncio.timeout(LONG_TIMEOUT_S):
        while True:
            with suppress(RedisError, OSError):
                assert (await probe_redis(redis)).is_up
                return


@pytest.mark.parametrize(
    ("ages_s", "has_worker"),
    [
        ([], False),
        ([0], True),
        ([ALIVE_FOR_S / 2], True),
        ([ALIVE_FOR_S + 2], False),
        ([ALIVE_FOR_S + 2, 0], True),
        ([3600, 86_400], False),
    ],
)
async def test_workers_live_as_long_as_they_send_heartbeats(
    redis: Redis, ages_s: list[float], has_worker: bool
) -> None:
    """One recent heartbeat is enough; old ones do not count."""
    for number, age_s in enumerate(ages_s):
        await redis.zadd(WORKERS_KEY, {f"worker-{number}": time.time() - age_s})
    assert has_worker == (await probe_workers(redis)).is_up


async def test_a_store_that_writes_is_up(store: LocalEntries) -> None:
    """A value is really written and read; a store that takes reads only does not answer."""
    assert (await probe_store(store)).is_up
    store.is_full = True
    with pytest.raises(Unavailable):
        await probe_store(store)


async def test_a_queue_is_stalled_when_nothing_is_taken(redis: Redis, clock: SteadyClock) -> None:
    """A queue is stalled if the next task stays the next, however many wait; a taken task ends the stall."""
    probe = BacklogProbe(redis, BacklogLimits(depth=2, age_s=30, stalled_s=60), clock)
    assert (await probe.read()).is_up
    await redis.lpush(QUEUE, "first", "second")
    assert (await probe.read()).is_up
    clock.now_s += 61
    reading = await probe.read()
    assert (False, "2 waiting, the oldest for 61 s") == (reading.is_up, reading.note)
    await redis.rpop(QUEUE)
    assert (await probe.read()).is_up
    clock.now_s += 30
    assert (await probe.read()).is_up


async def test_a_paused_queue_is_not_stalled(redis: Redis, clock: SteadyClock) -> None:
    """It is up and says so, however long tasks wait; then the time counts anew. A processor is only named."""
    probe, metrics = BacklogProbe(redis, BacklogLimits(depth=0, age_s=30, stalled_s=60), clock), Metrics("scheduler")
    await redis.lpush(QUEUE, "first")
    await redis.hset(PAUSED_KEY, mapping={WHOLE_QUEUE: "2:1", "redact": "1:1", "chain": "0:0"})
    for _ in range(3):
        reading = await probe.read()
        assert (True, False) == (reading.is_up, reading.is_overloaded)
        assert (reading.note or "").startswith("paused; 1 waiting")
        clock.now_s += 61
    await measure_queue(redis, metrics)
    shown = metrics.render().decode()
    paused = re.findall(r'^vestibule_queue_paused\{processor="(.*?)".* (.*)$', shown, re.MULTILINE)
    assert [("*", "1.0"), ("chain", "0.0"), ("redact", "1.0")] == sorted(paused)
    await probe.read()
    await redis.hset(PAUSED_KEY, WHOLE_QUEUE, "3:0")
    reading = await probe.read()
    assert (True, "1 waiting; paused: redact") == (reading.is_up, reading.note)
    clock.now_s += 61
    assert not (await probe.read()).is_up


async def test_too_many_waiting_tasks_are_a_strain(redis: Redis, clock: SteadyClock) -> None:
    """A queue that is processed but long is up and strained."""
    probe = BacklogProbe(redis, BacklogLimits(depth=2, age_s=30, stalled_s=60), clock)
    await redis.lpush(QUEUE, "1", "2", "3")
    reading = await probe.read()
    assert (True, True, "3 waiting") == (reading.is_up, reading.is_overloaded, reading.note)


async def test_a_task_that_waits_for_long_is_a_strain(redis: Redis, clock: SteadyClock) -> None:
    """Where each task waits for long, the queue is strained, even if tasks are taken."""
    probe = BacklogProbe(redis, BacklogLimits(depth=9, age_s=30, stalled_s=60), clock)
    await redis.lpush(QUEUE, json.dumps({"headers": {SENT_AT: time.time() - 40}}))
    reading = await probe.read()
    assert (True, True) == (reading.is_up, reading.is_overloaded)
    assert (reading.note or "").startswith("1 waiting, the oldest for 4")


@pytest.mark.parametrize("priority", Priority)
async def test_tasks_of_each_priority_count(redis: Redis, clock: SteadyClock, priority: Priority) -> None:
    """However urgent they are: many are a strain, one that waits for long is one, and none taken is a stall."""
    probe = BacklogProbe(redis, BacklogLimits(depth=2, age_s=50, stalled_s=60), clock)
    await redis.lpush(QUEUES[priority][3], json.dumps({"headers": {SENT_AT: time.time() - 40}}), "2", "3")
    reading = await probe.read()
    assert (True, True) == (reading.is_up, reading.is_overloaded)
    assert (reading.note or "").startswith("3 waiting, the oldest for 4")
    clock.now_s += 61
    assert not (await probe.read()).is_up


async def test_tasks_behind_more_urgent_ones_are_not_stalled(redis: Redis, clock: SteadyClock) -> None:
    """A queue behind others is strained and not stalled; new tasks of another queue hide no stall."""
    probe = BacklogProbe(redis, BacklogLimits(depth=9, age_s=50, stalled_s=60), clock)
    await redis.lpush(QUEUES[Priority.LOW][0], "low")
    await redis.lpush(QUEUES[Priority.HIGH][0], "first", "second")
    assert (await probe.read()).is_up
    clock.now_s += 40
    await redis.rpop(QUEUES[Priority.HIGH][0])
    assert (await probe.read()).is_up
    clock.now_s += 40
    await redis.lpush(QUEUE, "normal")
    assert (True, "3 waiting, the oldest for 40 s") == ((reading := await probe.read()).is_up, reading.note)
    clock.now_s += 40
    assert not (await probe.read()).is_up


async def test_the_backlog_and_its_metrics_take_one_round_trip(redis: Redis, clock: SteadyClock) -> None:
    """Both are asked often and of a Redis that may be far; what they show is the sum over all priorities."""
    for number, queue in enumerate(("celery.high.2", "celery", "celery.low.7"), 1):
        await redis.lpush(queue, *map(str, range(number)))
    metrics = Metrics("scheduler")
    for ask in (
        BacklogProbe(redis, BacklogLimits(9, 30, 60), clock).read,
        lambda: measure_queue(redis, metrics),
    ):
        before = await _reads(redis)
        await ask()
        assert 2 == await _reads(redis) - before
    await redis.config_set("maxmemory", 100_000_000)
    await measure_queue(redis, metrics)
    shown = metrics.render().decode()
    assert 'vestibule_queue_tasks{service="scheduler",state="waiting"} 6.0' in shown
    assert 'vestibule_redis_max_memory_bytes{service="scheduler"} 1e+08' in shown
    assert re.search(r'vestibule_redis_memory_bytes\{service="scheduler"\} [1-9]', shown)
    await redis.config_set("maxmemory", 0)


async def _reads(redis: Redis) -> int:
    """Return how many times the server has read from its clients, this question included."""
    return int((await redis.info("stats"))["total_reads_processed"])
