"""The address of Redis in the forms that different clients take: a server, a socket, a server over TLS, or Sentinels.

`sentinel://HOST:PORT,HOST:PORT/0?master=NAME` names the Sentinels that know which server is the master.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from redis.asyncio import Redis

SENTINEL = "sentinel"
SENTINEL_PORT = 26_379
DEFAULT_MASTER = "mymaster"


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The Sentinels, the name of the master, and the credentials."""

    addresses: list[tuple[str, int]]
    master: str
    database: int
    username: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> "Sentinels":
        """Return what a URL says.

        Raises:
            ValueError: it is malformed.
        """
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        username, _, password = login.partition(":")
        addresses = [_address(host) for host in hosts.split(",")]
        master = parse_qs(parts.query).get("master", [DEFAULT_MASTER])[0]
        return cls(
            addresses, master, int(parts.path.strip("/") or 0), unquote(username) or None, unquote(password) or None
        )


def is_sentinel(redis_url: str) -> bool:
    """Say whether a URL names Sentinels."""
    return urlsplit(redis_url).scheme == SENTINEL


def open_redis(redis_url: str, **options: Any) -> "Redis":
    """Return a client; with Sentinels one that follows the master.

    Raises:
        ValueError: the URL is malformed.
    """
    from redis.asyncio import Redis  # noqa: PLC0415 - the command line asks for forms alone
    from redis.asyncio.sentinel import Sentinel  # noqa: PLC0415

    if not is_sentinel(redis_url):
        return Redis.from_url(redis_url, **options)
    known = Sentinels.of(redis_url)
    login = {"username": known.username, "password": known.password, "db": known.database}
    # Sentinels are asked without a login: it is the servers' own.
    sentinel: Any = Sentinel
    found = sentinel(known.addresses, sentinel_kwargs=options, **login, **options)
    client: Redis = found.master_for(known.master)
    return client


def celery_url(redis_url: str) -> str:
    """Return `redis_url` in the form that Celery takes; it names sockets and Sentinels in its own way."""
    if is_sentinel(redis_url):
        parts = urlsplit(redis_url)
        login, at, hosts = parts.netloc.rpartition("@")
        path = parts.path.strip("/") or "0"
        return ";".join(f"{SENTINEL}://{login}{at}{host}/{path}" for host in hosts.split(","))
    return redis_url.replace("unix://", "redis+socket://", 1) if redis_url.startswith("unix://") else redis_url


def celery_options(redis_url: str) -> dict[str, Any]:
    """Return the options that Celery needs beside the URL."""
    return {"master_name": Sentinels.of(redis_url).master} if is_sentinel(redis_url) else {}


def _address(host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    return (name.strip("[]"), int(port)) if colon and not host.endswith("]") else (host.strip("[]"), SENTINEL_PORT)
