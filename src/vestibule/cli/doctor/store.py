"""Checks of the database and of Redis."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibule.cli.configuration.masking import masked_address
from vestibule.cli.doctor.examination import Diagnosis, ExaminedSystem, check, error, ok, warning

if TYPE_CHECKING:
    from vestibule.database_service.settings import DatabaseSettings

TIMEOUT_S = 5.0
LEAST_REDIS = (6, 2)
MOST_SKEW_S = 5.0
NEWEST = 100


@check("database")
def check_database(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look whether the store is there, migrated and sound; SQLite is read while the system runs."""
    from vestibule.database_service.entries.store import StoreRefused
    from vestibule.database_service.main import find_store_kind

    settings = _database_settings(installation)
    kind = find_store_kind(settings)
    if kind.administration is None:
        yield from _check_sqlite(settings.sqlite_path)
        return
    shown = masked_address(settings.database_url) or kind.scheme
    try:
        faults = asyncio.run(asyncio.wait_for(kind.administration().check(settings), TIMEOUT_S))
    except StoreRefused as refusal:
        # It names the address without user and password.
        yield error(str(refusal), "Start it, correct VESTIBULE_DATABASE_URL, or migrate it: `vestibule db migrate`.")
    except (OSError, TimeoutError) as failure:
        remedy = "Start it, or set VESTIBULE_DATABASE_URL to its address."
        yield error(f"{shown} does not answer ({type(failure).__name__})", remedy)
    else:
        for fault in faults:
            yield error(fault, "See docs/store.md; `vestibule db migrate` creates and updates the tables.")
        if not faults:
            yield ok(f"the store {shown} answers, and its tables are up to date")


def _check_sqlite(path: Path) -> Iterator[Diagnosis]:
    from vestibule.database_service.entries.sqlite.database import VERSION_OF_SCHEMA

    if not path.exists():
        yield ok(f"{path} does not exist yet; the first start creates it")
        return
    try:
        with closing(_open(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as failure:
        yield error(
            f"{path} is no database, or damaged ({type(failure).__name__})", "`vestibule db restore` restores a backup."
        )
        return
    if faults != ["ok"]:
        yield error(f"{path} is damaged", "Stop the system and restore a backup: `vestibule db restore`.")
    elif version > VERSION_OF_SCHEMA:
        yield error(f"{path} is of a newer version of Vestibule", "Install that version.")
    else:
        yield ok(f"{path} is sound ({path.stat().st_size / 2**20:.1f} MiB)")


def newest_values(installation: ExaminedSystem) -> list[str]:
    """Return some of the encrypted values in a store of SQLite; none of another store."""
    settings = _database_settings(installation)
    if not settings.database_url.startswith("sqlite:") or not settings.sqlite_path.exists():
        return []
    try:
        with closing(_open(settings.sqlite_path)) as connection:
            rows = connection.execute("SELECT value FROM entries ORDER BY rowid DESC LIMIT ?", (NEWEST,)).fetchall()
    except sqlite3.Error:
        return []  # the check of the database says so
    return [str(row[0]) for row in rows]


@check("redis")
def check_redis(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look at the version, the memory policy, the persistence and the clock of Redis."""
    from redis import Redis
    from redis.exceptions import AuthenticationError, RedisError

    from vestibule.cli.embedded.redis_server import redis_url_of
    from vestibule.service_kit.redis_settings import RedisSettings

    given = installation.setting("REDIS_URL")
    url = RedisSettings(redis_url=given).redis_url if given else redis_url_of(installation.data_dir)
    if url is None:
        yield ok("Redis does not run yet; `vestibule up` starts its own")
        return
    if url.startswith("sentinel://"):
        yield ok("Redis is found by Sentinels, which this does not ask")
        return
    shown = masked_address(url) or "Redis"
    try:
        with Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as redis:
            info: Any = redis.info()
            seconds, _ = redis.time()
    except AuthenticationError:
        yield error(f"{shown} refuses the password", "Correct VESTIBULE_REDIS_URL or VESTIBULE_REDIS_PASSWORD_FILE.")
        return
    except (RedisError, OSError, ValueError) as failure:
        if not given:
            yield ok(f"the Redis of {installation.data_dir} is not running")
        else:
            yield error(
                f"{shown} does not answer ({type(failure).__name__})", "Start it, or correct VESTIBULE_REDIS_URL."
            )
        return
    yield from _judge_redis(shown, info)
    if abs(seconds - time.time()) > MOST_SKEW_S:
        remedy = "Synchronize both hosts (chrony, systemd-timesyncd)."
        yield warning(f"the clock of {shown} differs by {seconds - time.time():+.0f} s", remedy)


def _judge_redis(shown: str, info: dict[str, Any]) -> Iterator[Diagnosis]:
    version = str(info.get("valkey_version") or info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < LEAST_REDIS:
        yield error(f"{shown} has version {version}", "Install Redis 6.2 or newer, or Valkey.")
    else:
        yield ok(f"{shown} answers (version {version})")
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        yield error(f"{shown} may evict tasks (maxmemory-policy {policy})", "`CONFIG SET maxmemory-policy noeviction`")
    if not info.get("aof_enabled"):
        yield warning(
            f"{shown} keeps no append-only file", "`appendonly yes`, or tasks wait for the ledger after a crash."
        )
    failed = [name for name in ("aof_last_write_status", "rdb_last_bgsave_status") if info.get(name, "ok") != "ok"]
    if failed:
        yield error(f"{shown} could not write its files ({', '.join(failed)})", "Make room on its disk; see its log.")


def _database_settings(installation: ExaminedSystem) -> "DatabaseSettings":
    from vestibule.database_service.settings import DatabaseSettings

    return DatabaseSettings(data_dir=installation.data_dir)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_S)
