"""Each fault as a context: it is there while the context is, and nobody mends what it leaves behind."""

import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
from redis import Redis
from redis.exceptions import RedisError

from vestibule.cli.embedded.redis_server import redis_url_of
from vestibule.client_service.queue.result_backend import RESULT_PREFIX

DATABASE, CLIENT_SERVICE, LOGIC, SCHEDULER, WORKERS = (
    "vestibule serve database",
    "vestibule serve client",
    "vestibule serve business-logic",
    "vestibule serve scheduler",
    "vestibule worker",
)


@dataclass(frozen=True)
class Fault:
    """What is done to a system, and whether the door may cut callers off meanwhile."""

    name: str
    inject: Callable[[Any], AbstractContextManager[None]]
    may_cut_off: bool = False


def redis_of(system: Any) -> Any:
    return Redis.from_url(str(redis_url_of(system.data_dir)), socket_timeout=5)


def redis_process(system: Any) -> Any:
    return next(one for one in system.processes() if one.name().endswith("-server"))


def parts(system: Any, words: str) -> list[psutil.Process]:
    """Return the processes that a part consists of; of workers, those that have a pool beneath them."""
    return [redis_process(system)] if words == "redis" else system.processes(words)


@contextmanager
def kill(words: str, system: Any) -> Iterator[None]:
    """End a part as a crash does."""
    for process in parts(system, words):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    yield


@contextmanager
def kill_pools(system: Any) -> Iterator[None]:
    """End the processes that do the work, and leave those that take it alive."""
    for worker in system.processes(WORKERS):
        with suppress(psutil.NoSuchProcess):
            for child in worker.children():
                child.kill()
    yield


@contextmanager
def freeze(words: str, system: Any) -> Iterator[None]:
    """Have a part stand still: its connections stay open and nothing answers."""
    frozen = parts(system, words)
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


@contextmanager
def fill_disk(words: str, system: Any) -> Iterator[None]:
    """Let a part write nothing more to any file that has some size already."""
    before = {}
    for process in parts(system, words):
        before[process] = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for process, limit in before.items():
            with suppress(psutil.NoSuchProcess):
                process.rlimit(psutil.RLIMIT_FSIZE, limit)


@contextmanager
def flush_redis(system: Any) -> Iterator[None]:
    """Take everything out of Redis."""
    with redis_of(system) as redis, suppress(RedisError):
        redis.flushall()
    yield


@contextmanager
def fill_redis(system: Any) -> Iterator[None]:
    """Leave Redis no memory for anything more."""
    with redis_of(system) as redis:
        redis.config_set("maxmemory", "1")
        try:
            yield
        finally:
            redis.config_set("maxmemory", "0")


@contextmanager
def reset_connections(system: Any) -> Iterator[None]:
    """End every connection to Redis, as a proxy or a network that starts anew does."""
    with redis_of(system) as redis, suppress(RedisError):
        redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    yield


@contextmanager
def results_deleted(system: Any) -> Iterator[None]:
    """Delete results as soon as workers leave them, many times a second."""
    is_over = threading.Event()

    def delete() -> None:
        with redis_of(system) as redis:
            while not is_over.wait(0.02):
                keys = list(redis.scan_iter(f"{RESULT_PREFIX}*", count=1000))
                if keys:
                    redis.delete(*keys)

    thread = threading.Thread(target=delete, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(10)


@contextmanager
def lock_database(system: Any) -> Iterator[None]:
    """Hold the lock that a write of the store needs, as a backup or a person at a prompt would."""
    with sqlite3.connect(system.data_dir / "vestibule.db", timeout=30, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
    other.close()


FAULTS = [
    Fault("Redis killed", partial(kill, "redis")),
    Fault("Redis frozen", partial(freeze, "redis")),
    Fault("Redis flushed", flush_redis),
    Fault("Redis out of memory", fill_redis),
    Fault("Redis cannot write to its disk", partial(fill_disk, "redis")),
    Fault("connections to Redis reset", reset_connections),
    Fault("database service killed", partial(kill, DATABASE)),
    Fault("database service frozen", partial(freeze, DATABASE)),
    Fault("database locked by another", lock_database),
    Fault("disk of the database full", partial(fill_disk, DATABASE)),
    Fault("client service killed", partial(kill, CLIENT_SERVICE), may_cut_off=True),
    Fault("its disk full: log, alerts, decisions", partial(fill_disk, CLIENT_SERVICE)),
    Fault("business logic service killed", partial(kill, LOGIC)),
    Fault("scheduler service killed", partial(kill, SCHEDULER)),
    Fault("all workers killed", partial(kill, WORKERS)),
    Fault("all processes of their pools killed", kill_pools),
    Fault("all workers frozen", partial(freeze, WORKERS)),
]
