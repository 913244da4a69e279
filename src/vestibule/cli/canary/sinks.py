"""Every place where a value could leak to: files, Redis, processes, metrics, answers."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis
from redis.exceptions import RedisError

MAX_FILE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Something that was written: its name and its content."""

    name: str
    content: bytes


def files_below(directory: Path) -> Iterator[Place]:
    """Yield every file below `directory`: logs, reports, the database and its log, the queue's append-only file."""
    for path in sorted(directory.rglob("*")):
        try:
            # Sockets and pipes hold nothing; keys are not made of what came in, and are nobody's to read.
            if path.is_file() and path.parent.name != "keys" and path.stat().st_size <= MAX_FILE_BYTES:
                yield Place(f"file {path}", path.read_bytes())
        except OSError:
            continue  # rotated away, or finished and renamed, while we looked


def temporary_files(since: float) -> Iterator[Place]:
    """Yield every file in the temporary directory that was written after `since` (Unix time)."""
    for path in Path(tempfile.gettempdir()).iterdir():
        try:
            if path.is_file() and path.stat().st_mtime >= since:
                yield Place(f"temporary file {path}", path.read_bytes())
        except OSError:
            continue


def redis_keys(url: str) -> Iterator[Place]:
    """Yield every key of Redis with what it holds, of every type, in Redis's own serialised form and readable."""
    with Redis.from_url(url, socket_timeout=10) as redis:
        for key in redis.scan_iter(count=1000):
            name = f"Redis key {key.decode(errors='replace')}"
            yield Place(f"{name} (its name)", key)
            try:
                yield Place(name, redis_content(redis, key))
            except RedisError:
                continue  # expired while we looked


def redis_content(redis: Any, key: bytes) -> bytes:
    """Return what lies under a key, whatever its type."""
    readers: dict[bytes, Callable[[], Iterable[bytes]]] = {
        b"string": lambda: [redis.get(key) or b""],
        b"list": lambda: redis.lrange(key, 0, -1),
        b"hash": lambda: [part for pair in redis.hgetall(key).items() for part in pair],
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1),
    }
    read: Callable[[], Iterable[bytes]] = readers.get(redis.type(key), lambda: [redis.dump(key) or b""])
    return b"\n".join(read())


def processes_of(data_dir: Path) -> Iterator[Place]:
    """Yield command line and environment of every process that works in `data_dir`; Linux only."""
    marker = os.fsencode(data_dir.absolute())
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        for part in ("cmdline", "environ"):
            try:
                content = (process / part).read_bytes()
            except OSError:
                continue
            if marker in content:
                yield Place(f"process {process.name}, {part}", content)


def metrics_of(urls: list[str]) -> Iterator[Place]:
    """Yield the metrics of every service."""
    for url in urls:
        try:
            yield Place(f"metrics of {url}", httpx.get(f"{url}/metrics", timeout=10, trust_env=False).content)
        except httpx.HTTPError:
            continue
