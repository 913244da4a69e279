"""The settings of Redis, and its address in the forms that clients take: a server, a socket, TLS, or Sentinels.

`sentinel://HOST:PORT,HOST:PORT/0?master=NAME` names the Sentinels that know which server is the master.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RedisSettings(BaseSettings):
    """The address and the credentials of Redis."""

    # As in ServiceSettings: where both are inherited from, the last of the two decides.
    model_config = SettingsConfigDict(
        env_prefix="VESTIBULE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Address of Redis; `unix:///PATH` for a socket, `rediss://` for TLS, `sentinel://HOST:PORT,HOST:PORT/0?master=M`",
    )
    redis_ca_file: Path | None = Field(
        default=None, description="File with the certificate authorities for Redis over TLS"
    )
    redis_password_file: Path | None = Field(
        default=None, description="File with the password of Redis, instead of a password in the URL"
    )

    @model_validator(mode="after")
    def _expect_certificate(self) -> Self:
        parts = urlsplit(self.redis_url)
        if parts.scheme == "rediss" and "ssl_cert_reqs" not in parts.query:
            wanted = ["ssl_cert_reqs=required"]
            if self.redis_ca_file is not None:
                wanted.append(f"ssl_ca_certs={quote(str(self.redis_ca_file.absolute()))}")
            self.redis_url = parts._replace(query="&".join([*filter(None, [parts.query]), *wanted])).geturl()
        return self

    @model_validator(mode="after")
    def _take_password(self) -> Self:
        if self.redis_password_file is not None:
            self.redis_url = _with_password(self.redis_url, self.redis_password_file)
            # Taken once: a copy of these settings is not given it again.
            self.redis_password_file = None
        return self


def _with_password(url: str, path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"cannot read the password of Redis in {path} ({type(error).__name__})") from None
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("the URL of Redis has a password already; give it there or in a file")
    user = parts.username or ""
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}").geturl()


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


async def answers(redis: "Redis") -> bool:
    """Say whether Redis answers; it raises what the client raises."""
    return bool(await redis.ping())


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
