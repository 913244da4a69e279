"""Measures the SQLite store side by side: durable writes, what they pay for, reads over HTTP, and memory.

    .venv/bin/python benchmarks/store.py            # half a minute
    .venv/bin/python benchmarks/store.py --writes 1000000

Every kind of writer uses the same SQLite with the same pragmas on the same disk; rounds of all kinds take turns, and
the median counts. aiosqlite is measured where it is installed.
"""

import argparse
import asyncio
import base64
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil

from vestibule.database_service.entries.sqlite.database import open_connection, prepare
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import WRITE, SqliteStore
from vestibule.encryption import create_key_ring

try:
    import aiosqlite
except ImportError:
    aiosqlite = None  # type: ignore[assignment]

VALUE = base64.b64encode(os.urandom(300)).decode()
SECONDS = 0.7
ROUNDS = 5
CALLERS = (10, 100, 500)
WriteKey = Callable[[str], Awaitable[object]]


async def load(write: WriteKey, callers: int, seconds: float) -> tuple[float, float]:
    """Let callers write for some time; return writes a second and p99 in ms."""
    took: list[float] = []
    until = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        while (began := time.perf_counter()) < until:
            await write(f"default/caller {number} key {len(took)}")
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    rate = len(took) / (time.perf_counter() - began)
    return rate, statistics.quantiles(took, n=100)[98] * 1000 if len(took) > 100 else max(took) * 1000


async def group_commit(folder: Path, stack: AsyncExitStack) -> WriteKey:
    """Return Vestibule's writer."""
    store = await stack.enter_async_context(SqliteStore(folder / "group.db", 10))
    return lambda key: store.write(Write(key, VALUE, author="t1"))


async def one_commit_each(folder: Path, stack: AsyncExitStack) -> WriteKey:
    """Return a writer with one kept connection and a commit for every request."""
    connection = open_connection(folder / "single.db", lambda one: prepare(one, 10))
    stack.callback(connection.close)
    lock = asyncio.Lock()

    def commit(key: str) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(WRITE, (key, VALUE, time.time(), "t1", None)).fetchone()
        connection.execute("COMMIT")

    async def write(key: str) -> None:
        async with lock:
            await asyncio.to_thread(commit, key)

    return write


async def one_by_one(folder: Path, stack: AsyncExitStack) -> WriteKey:
    """Return a writer over aiosqlite: one thread, one statement after the other."""
    open_connection(folder / "aio.db", lambda one: prepare(one, 0)).close()
    connection = await stack.enter_async_context(aiosqlite.connect(folder / "aio.db", isolation_level=None))
    await connection.execute("PRAGMA synchronous = FULL")

    async def write(key: str) -> None:
        await connection.execute_insert(WRITE, (key, VALUE, time.time(), "t1", None))

    return write


async def measure_writes(folder: Path) -> None:
    """Print durable writes a second of each kind at each number of callers."""
    kinds = {"group commit": group_commit, "one commit a request": one_commit_each}
    if aiosqlite:
        kinds["aiosqlite, one by one"] = one_by_one
    async with AsyncExitStack() as stack:
        writers = {name: await kind(folder, stack) for name, kind in kinds.items()}
        print(f"durable writes of {len(VALUE)} characters: writes/s, p99 in ms, and how many times the second")
        for callers in CALLERS:
            rounds = [
                {name: await load(write, callers, SECONDS) for name, write in writers.items()} for _ in range(ROUNDS)
            ]
            medians = {
                name: tuple(statistics.median(one[name][at] for one in rounds) for at in (0, 1)) for name in kinds
            }
            base = medians["one commit a request"][0]
            for name, (rate, p99_ms) in medians.items():
                print(f"  {callers:4} callers  {name:22} {rate:9,.0f}  {p99_ms:7.1f}  {rate / base:5.1f}x")


def measure_statements(folder: Path) -> None:
    """Print what a write costs within a transaction, by what is asked of it."""
    plain = """
        INSERT INTO entries (key, value, version, written_at, expires_at) VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = version + 1,
            written_at = excluded.written_at, expires_at = excluded.expires_at
        RETURNING version
    """
    schema = """
        CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT, version INTEGER NOT NULL, written_at REAL NOT NULL,
            expires_at REAL) STRICT, WITHOUT ROWID
    """
    old = open_connection(folder / "old.db", lambda _: None)
    old.execute(schema)
    now = open_connection(folder / "now.db", lambda one: prepare(one, 0))
    kept = open_connection(folder / "kept.db", lambda one: prepare(one, 10))
    kinds: dict[str, tuple[sqlite3.Connection, Callable[[str], object], bool]] = {
        "table alone, new keys": (old, lambda key: old.execute(plain, (key, VALUE, 0.0, None)).fetchone(), True),
        "with changes, new keys": (now, lambda key: now.execute(WRITE, (key, VALUE, 0.0, "t", None)).fetchone(), True),
        "and history, new keys": (kept, lambda key: kept.execute(WRITE, (key, VALUE, 0.0, "t", None)).fetchone(), True),
        "table alone, over": (old, lambda key: old.execute(plain, (key, VALUE, 0.0, None)).fetchone(), False),
        "with changes, over": (now, lambda key: now.execute(WRITE, (key, VALUE, 0.0, "t", None)).fetchone(), False),
        "and history, over": (kept, lambda key: kept.execute(WRITE, (key, VALUE, 0.0, "t", None)).fetchone(), False),
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(40):
        for name, (connection, work, is_new) in kinds.items():
            keys = [f"default/{number if is_new else 0}/{one}" for one in range(200)]
            connection.execute("BEGIN IMMEDIATE")
            began = time.perf_counter()
            for key in keys:
                work(key)
            took[name].append((time.perf_counter() - began) / len(keys) * 1e6)
            connection.execute("COMMIT")
    print("a write inside a transaction, in microseconds")
    for name, some in took.items():
        print(f"  {name:26} {statistics.median(some):6.1f}")


BARE = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": %r})
"""


async def ask(port: int, head: bytes, seconds: float, connections: int = 20) -> float:
    """Return how many requests a second kept connections get answered."""
    count = 0
    until = time.perf_counter() + seconds

    async def connection() -> None:
        nonlocal count
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            writer.write(head)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.split(b":")[1]))
            assert answer.startswith(b"HTTP/1.1 200"), answer
            count += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    return count / (time.perf_counter() - began)


def measure_reads(folder: Path, port: int) -> None:
    """Print how many reads a second the database service answers, beside a bare ASGI application."""
    (folder / "keys").mkdir(parents=True)
    (folder / "keys" / "service_secret").write_text("s" * 43)
    create_key_ring(folder / "keys" / "keyring.json")
    body = f'{{"key":"a","value":"{VALUE}","version":1}}'.encode()
    (folder / "bare.py").write_text(BARE % (len(body), body))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "VESTIBULE_DATA_DIR": str(folder), "VESTIBULE_PORT": str(port)}
    uvicorn = [sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port + 1), "--no-access-log"]
    servers = [
        subprocess.Popen([sys.executable, "-m", "vestibule", "serve", "database"], env=environment, **quiet),
        subprocess.Popen(uvicorn, cwd=folder, **quiet),
    ]
    try:
        headers = {"Authorization": "Bearer " + "s" * 43}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
            while True:
                try:
                    client.post("/write", json={"key": "a", "value": VALUE}).raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
        head = f"GET /read?key=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {'s' * 43}\r\n\r\n".encode()
        rounds = [[asyncio.run(ask(one, head, SECONDS)) for one in (port, port + 1)] for _ in range(ROUNDS)]
        service, bare = (statistics.median(one[at] for one in rounds) for at in (0, 1))
        print(
            f"reads/s over HTTP: the database service {service:,.0f}, a bare answer {bare:,.0f}, {bare / service:.1f}x"
        )
    finally:
        for server in servers:
            server.terminate()
            server.wait(20)


async def measure_memory(folder: Path, writes: int) -> None:
    """Print how much memory the process has taken after more and more writes, of new keys and of the same ones."""
    process = psutil.Process()
    async with SqliteStore(folder / "memory.db", 10) as store:
        print("memory in MiB after writes:", end="")
        for tenth in range(11):
            print(f" {process.memory_info().rss / 2**20:.0f}", end="", flush=True)
            for start in range(0, writes // 10 if tenth < 10 else 0, 500):
                keys = [f"default/{(tenth % 2) * tenth}/{start + one}" for one in range(500)]
                await asyncio.gather(*(store.write(Write(key, VALUE)) for key in keys))
        print(f" ({writes:,} writes)")


def main() -> None:
    """Measure everything."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--writes", type=int, default=100_000, help="writes of the measurement of memory")
    options.add_argument("--port", type=int, default=18_471, help="the first of two free ports")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        asyncio.run(measure_writes(Path(folder)))
        measure_statements(Path(folder))
        measure_reads(Path(folder) / "service", chosen.port)
        asyncio.run(measure_memory(Path(folder), chosen.writes))


if __name__ == "__main__":
    main()
