"""The readiness check of each kind of part; a part that does not answer is not ready."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_ANSWER_TIMEOUT_S = 2.0
_POLL_INTERVAL_S = 0.05


class PartReadiness(Protocol):
    """A readiness check."""

    async def is_ready(self) -> bool:
        """Say whether the part is ready now; never raise."""
        ...

    def forget(self) -> None:
        """Remove what an earlier run of the part left behind, if it leaves something."""
        return


@dataclass(frozen=True)
class HttpReadiness(PartReadiness):
    """A service: 200 to `GET /readyz`."""

    host: str
    port: int

    async def is_ready(self) -> bool:
        request = f"GET /readyz HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n\r\n"
        answer = await _ask(lambda: asyncio.open_connection(self.host, self.port), request.encode())
        return answer.split()[1:2] == [b"200"]


@dataclass(frozen=True)
class RedisSocketReadiness(PartReadiness):
    """A Redis server on a socket: PONG to PING (it answers LOADING while it reads its files)."""

    path: Path

    async def is_ready(self) -> bool:
        answer = await _ask(lambda: asyncio.open_unix_connection(self.path), b"PING\r\n")
        return answer.startswith(b"+PONG")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class RedisUrlReadiness(PartReadiness):
    """An external Redis server, with the password and TLS of its URL."""

    url: str

    async def is_ready(self) -> bool:
        import redis  # slow to import, and rarely needed

        try:
            async with self.open() as client:
                return bool(await asyncio.wait_for(client.ping(), _ANSWER_TIMEOUT_S))
        except (redis.RedisError, OSError, TimeoutError):
            return False

    def forget(self) -> None:
        """Do nothing: a run leaves nothing behind."""

    def open(self) -> Any:
        """Return a client, with the password and the certificates of the settings. Raises: ValueError for a bad URL."""
        from vestibule.service_kit.redis_settings import RedisSettings, open_redis

        return open_redis(RedisSettings(redis_url=self.url).redis_url, socket_connect_timeout=_ANSWER_TIMEOUT_S)


@dataclass(frozen=True)
class FileReadiness(PartReadiness):
    """A worker: it touches a file when it is ready."""

    path: Path

    async def is_ready(self) -> bool:
        return self.path.exists()

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def until_ready(readiness: PartReadiness) -> None:
    """Poll until the part is ready."""
    while not await readiness.is_ready():  # noqa: ASYNC110  (another process cannot set an event of ours)
        await asyncio.sleep(_POLL_INTERVAL_S)


async def _ask(connect: Callable[[], Awaitable[_Connection]], request: bytes) -> bytes:
    """Send a request over a new connection and return the first line of the answer, empty without one."""
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await connect()
            try:
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return b""
