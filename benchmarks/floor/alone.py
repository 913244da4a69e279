"""What the parts can do alone, with no system around them: durable group commit, and a raw queue.

python -m benchmarks.floor.alone [--seconds 1]
"""

import argparse
import asyncio
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from queue import SimpleQueue

from benchmarks.systems import redis_program
from redis.asyncio import Redis

CALLERS = 100
TEXT = "the quick brown fox jumps over the lazy dog and on"
QueueDepth = tuple[str, "asyncio.Future[None]"]


def commit_groups(path: Path, waiting: "SimpleQueue[QueueDepth | None]", loop: asyncio.AbstractEventLoop) -> None:
    """Take all that waits into one transaction after the other, and tell after each."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
    while (first := waiting.get()) is not None:
        group = [first]
        while not waiting.empty() and (one := waiting.get()) is not None:
            group.append(one)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", [(key, TEXT) for key, _ in group])
        connection.execute("COMMIT")
        loop.call_soon_threadsafe(lambda told: [one.set_result(None) for _, one in told], group)
    connection.close()


async def group_commit(folder: Path, seconds: float) -> float:
    """Return durable writes a second of a hundred callers."""
    waiting: SimpleQueue[QueueDepth | None] = SimpleQueue()
    loop = asyncio.get_running_loop()
    writer = threading.Thread(target=commit_groups, args=(folder / "floor.db", waiting, loop))
    writer.start()
    count, until = 0, time.perf_counter() + seconds

    async def write(number: int) -> None:
        nonlocal count
        while time.perf_counter() < until:
            done: asyncio.Future[None] = loop.create_future()
            waiting.put((f"{number}-{count}", done))
            await done
            count += 1

    await asyncio.gather(*(write(number) for number in range(CALLERS)))
    waiting.put(None)
    writer.join()
    return count / seconds


async def raw_queue(folder: Path, seconds: float, batch: int = 50) -> float:
    """Return messages a second that go through a list of Redis, some at a time, in and out."""
    socket = folder / "redis.sock"
    command = [redis_program(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - nothing else waits
    try:
        async with Redis.from_url(f"unix://{socket}") as redis:
            while not socket.exists():  # noqa: ASYNC110 - it offers nothing to wait for
                await asyncio.sleep(0.05)
            count, until = 0, time.perf_counter() + seconds
            while time.perf_counter() < until:
                await redis.lpush("queue", *[TEXT] * batch)
                count += len(await redis.rpop("queue", batch) or ())
            return count / seconds
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=1)
    seconds = options.parse_args().seconds
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        print(f"durable group commit, {CALLERS} callers: {asyncio.run(group_commit(folder, seconds)):,.0f} writes/s")
        print(f"raw queue, 50 at a time: {asyncio.run(raw_queue(folder, seconds)):,.0f} messages/s in and out")


if __name__ == "__main__":
    main()
