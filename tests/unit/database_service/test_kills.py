"""kill -9 in the middle of writing, again and again on one file: what was answered is there, and no half batch is.

Three times here, a hundred times by `make faults`.
"""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vestibule.database_service.entries.stores.sqlite import SqliteStore

KILLS = int(os.environ.get("VESTIBULE_TEST_KILLS", "3"))
WRITERS, BATCHERS, BATCH = 20, 5, 10
# A process is killed after one to so many answers, which differ from kill to kill.
MOST_LINES = 500
WRITE = """
import asyncio, os, sys
from pathlib import Path
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore

async def writer(store, name):
    entry = await store.read(name)
    number = int(entry.value) if entry else 0
    while True:
        number += 1
        await store.write(Write(name, str(number)))
        os.write(1, f"{name} {number}\\n".encode())

async def batcher(store, name, size):
    entry = await store.read(f"{name}-0")
    number = int(entry.value) if entry else 0
    while True:
        number += 1
        await store.write_many([Write(f"{name}-{one}", str(number)) for one in range(size)])
        os.write(1, f"{name} {number}\\n".encode())

async def main(path, writers, batchers, size):
    async with SqliteStore(Path(path), 3) as store:
        await asyncio.gather(
            *(writer(store, f"w{n}") for n in range(writers)), *(batcher(store, f"b{n}", size) for n in range(batchers))
        )

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
"""


def _write_until_killed(path: Path, draw: random.Random) -> dict[str, int]:
    """Return the last number of each writer that was answered before the kill."""
    command = [sys.executable, "-c", WRITE, str(path), *map(str, (WRITERS, BATCHERS, BATCH))]
    lines: list[bytes] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reading = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reading.start()
        until_lines = draw.randint(1, MOST_LINES)
        while len(lines) < until_lines:
            assert process.poll() is None
            time.sleep(draw.uniform(0, 0.01))
        process.kill()
        reading.join()
    assert -9 == process.returncode
    # The last line may be cut off in the middle; what was not told whole was not told.
    told = [line.split() for line in lines if line.endswith(b"\n")]
    return {name.decode(): int(number) for name, number in told}


async def _numbers(path: Path, names: list[str]) -> dict[str, int]:
    async with SqliteStore(path, 3) as store:
        entries = await store.read_many(names)
    return {entry.key: int(entry.value) for entry in entries if entry}


@pytest.mark.timeout(60 + 20 * KILLS)
def test_no_answer_is_taken_back(tmp_path: Path) -> None:
    """After each kill every writer finds its last answer, or the write after it that had no time to be answered."""
    path = tmp_path / "vestibule.db"
    draw = random.Random(4711)
    batches = {f"b{number}": [f"b{number}-{one}" for one in range(BATCH)] for number in range(BATCHERS)}
    names = [f"w{number}" for number in range(WRITERS)] + [key for keys in batches.values() for key in keys]
    for _ in range(KILLS):
        answered = _write_until_killed(path, draw)
        kept = asyncio.run(_numbers(path, names))
        for batch, keys in batches.items():
            assert 1 >= len({kept.get(key, 0) for key in keys}), f"half of a batch of {batch}"
            kept[batch] = kept.get(keys[0], 0)
        late = {name: kept.get(name, 0) - number for name, number in answered.items()}
        assert {0, 1} >= set(late.values())
