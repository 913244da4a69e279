"""Durable writes a second to PostgreSQL: one transaction a write, against the store and its group commit.

All in one run on one server of its own, with `fsync` on, taking turns so that a busy machine hurts all alike:

    python benchmarks/store_postgresql.py --callers 100 --seconds 5 --rounds 3
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.postgresql import PostgresqlServer, running_server
from vestibule.database_service.entries.store import Write
from vestibule.database_service.main import build_store
from vestibule.database_service.settings import DatabaseSettings

VALUE = "x" * 200
KEYS = 10_000
CONNECTIONS = 10
WRITE = """
    INSERT INTO plain (key, value, version) VALUES ($1, $2, 1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = plain.version + 1 RETURNING version
"""
WriteOne = Callable[[str], Awaitable[object]]


async def measure(write: WriteOne, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Return writes a second and the time of each in milliseconds, from callers that write one after the other."""
    numbers = count()
    times_ms: list[float] = []
    end = time.perf_counter() + seconds

    async def call() -> None:
        while (start := time.perf_counter()) < end:
            await write(f"t/{next(numbers) % KEYS}")
            times_ms.append((time.perf_counter() - start) * 1000)

    start = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return len(times_ms) / (time.perf_counter() - start), times_ms


async def compare(server: PostgresqlServer, callers: int, seconds: float, rounds: int) -> None:
    """Measure all, in turns, and print a table."""
    url = server.database_url("benchmark")
    found: dict[str, list[tuple[float, list[float]]]] = {}
    async with (
        asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool,
        build_store(DatabaseSettings(database_url=url, keep_versions=0)) as store,
        build_store(DatabaseSettings(database_url=url, keep_versions=10)) as store_with_history,
    ):
        await pool.execute('CREATE TABLE plain (key text COLLATE "C" PRIMARY KEY, value text, version bigint)')
        ways: dict[str, WriteOne] = {
            "one transaction a write": lambda key: pool.fetchval(WRITE, key, VALUE),
            "group commit": lambda key: store.write(Write(key, VALUE)),
            "group commit, history of 10": lambda key: store_with_history.write(Write(key, VALUE)),
        }
        for _ in range(rounds):
            for name, write in ways.items():
                found.setdefault(name, []).append(await measure(write, callers, seconds))
    print(f"{callers} callers, values of {len(VALUE)} characters, {rounds} rounds of {seconds:g} s")
    print(f"{'':30}{'writes/s':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for name, runs in found.items():
        times_ms = sorted(one for _, times in runs for one in times)
        rate = statistics.median(rate for rate, _ in runs)
        print(f"{name:30}{rate:>10,.0f}{times_ms[len(times_ms) // 2]:>9.1f}{times_ms[len(times_ms) * 99 // 100]:>9.1f}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with running_server("fsync = on", "log_min_messages = fatal") as server:
        asyncio.run(compare(server, arguments.callers, arguments.seconds, arguments.rounds))


if __name__ == "__main__":
    main()
