"""Every place where a value could leak to: files, Redis, processes, metrics, answers; and planting leaks there."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis import Redis
from redis.exceptions import RedisError

from vestibule.cli.canary.requests import Canary

MAX_FILE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProofTarget:
    """A running Vestibule, and where it writes, as far as this machine can read it."""

    url: str
    token: str
    service_urls: list[str] = field(default_factory=list)
    console_url: str = ""
    data_dir: Path | None = None
    redis_url: str | None = None
    outputs: list[Path] = field(default_factory=list)
    is_own: bool = False
    """Whether it runs for this proof alone, so that its workers may be killed."""
    keeps_keys: bool = False
    """Whether the policy accepts personal data in keys, which are then stored by name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Something that was written: its name and its content."""

    name: str
    content: bytes


def places_of(target: ProofTarget, since: float) -> Iterator[Place]:
    """Yield everything that the target has written; temporary files only if newer than `since` (Unix time)."""
    for url in [*(target.service_urls or [target.url]), *filter(None, [target.console_url])]:
        try:
            yield Place(f"metrics of {url}", httpx.get(f"{url}/metrics", timeout=10, trust_env=False).content)
        except httpx.HTTPError:
            continue
    for output in target.outputs:
        yield Place(f"output {output}", output.read_bytes())
    if target.redis_url:
        yield from _redis_keys(target.redis_url)
    if target.data_dir:
        # Logs, reports, the database and its write-ahead log, the queue's append-only file and any other file.
        yield from _files("file", sorted(target.data_dir.rglob("*")))
        yield from _processes_of(target.data_dir)
        yield from _files("temporary file", Path(tempfile.gettempdir()).iterdir(), since)


def plant_leaks(target: ProofTarget, canaries: list[Canary]) -> None:
    """Write the first value into a log file, a report, a Redis key and an output, to verify that the proof finds it."""
    value = canaries[0].value
    if target.data_dir is not None:
        with (target.data_dir / "logs" / "app.log").open("a") as log:
            log.write(f'{{"event": "planted", "value": "{value}"}}\n')
        (target.data_dir / "error_reports").mkdir(exist_ok=True)
        (target.data_dir / "error_reports" / "planted.txt").write_text(f"Description: {value}\n")
    if target.redis_url is not None:
        with Redis.from_url(target.redis_url) as redis:
            redis.lpush("vestibule:planted", value)
    for output in target.outputs:
        with output.open("a") as sink:
            sink.write(f"{value}\n")


def _files(kind: str, paths: Iterable[Path], since: float = 0.0) -> Iterator[Place]:
    for path in paths:
        try:
            # Sockets and pipes have no content. Keys are random, and must not be read.
            if path.is_file() and path.parent.name != "keys":
                status = path.stat()
                if status.st_size <= MAX_FILE_BYTES and status.st_mtime >= since:
                    yield Place(f"{kind} {path}", path.read_bytes())
        except OSError:
            continue  # rotated, renamed or removed meanwhile


def _redis_keys(url: str) -> Iterator[Place]:
    with Redis.from_url(url, socket_timeout=10) as redis:
        for key in redis.scan_iter(count=1000):
            name = f"Redis key {key.decode(errors='replace')}"
            yield Place(f"{name} (its name)", key)
            try:
                yield Place(name, redis_content(redis, key))
            except RedisError:
                continue  # expired meanwhile


def redis_content(redis: Any, key: bytes) -> bytes:
    """Return the content of a key, whatever its type."""
    readers: dict[bytes, Callable[[], Iterable[bytes]]] = {
        b"string": lambda: [redis.get(key) or b""],
        b"list": lambda: redis.lrange(key, 0, -1),
        b"hash": lambda: [part for pair in redis.hgetall(key).items() for part in pair],
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1),
    }
    read: Callable[[], Iterable[bytes]] = readers.get(redis.type(key), lambda: [redis.dump(key) or b""])
    return b"\n".join(read())


def _processes_of(data_dir: Path) -> Iterator[Place]:
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
