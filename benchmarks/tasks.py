"""What background work costs: Vestibule with its ledger against Celery with default settings and without one.

    python -m benchmarks.tasks [TASKS] [--rounds 5] [--callers 32]

Both do the same: take `/run` over HTTP, read the stored value, have it turned into upper case by two workers with two
processes each, and give the result. Both run at the same time and are driven by turns: single tasks from the 202 to the
result, then TASKS of callers who run and wait. Prints medians, the ratio of the rates within a round (least-most), and
the CPU of each part for a task.
"""

import argparse
import asyncio
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from benchmarks.systems import TOKEN, System, free_port, redis_program, running, vestibule

IDLE_TASKS = 100
VALUE = "the quick brown fox jumps over the lazy dog"

NAIVE = """
import os
from celery import Celery
from celery.result import AsyncResult
from fastapi import FastAPI

celery = Celery("naive", broker=os.environ["NAIVE_REDIS"], backend=os.environ["NAIVE_REDIS"])
app = FastAPI()
values = {"bench": os.environ["NAIVE_VALUE"]}


@celery.task(name="upper")
def upper(data):
    return data.upper()


@app.post("/run")
def run(key: str):
    return {"status_url": "/tasks/" + upper.delay(values[key]).id}


@app.get("/tasks/{task_id}")
def task(task_id: str, wait: float = 0):
    result = AsyncResult(task_id, app=celery)
    if wait:
        result.get(timeout=wait)
    return {"state": "succeeded" if result.successful() else "queued"}
"""


@dataclass(frozen=True)
class Round:
    """What one round of a system measured: times in ms, tasks a second, and us of CPU a task by part."""

    took_ms: list[float]
    rate: float
    cpu_us: dict[str, float]


@contextlib.contextmanager
def naive(folder: Path) -> Iterator[System]:
    """Run FastAPI and Celery as their tutorials put them together."""
    (folder / "naive.py").write_text(NAIVE)
    address = f"{folder}/r.sock"
    variables = {
        "NAIVE_REDIS": f"redis+socket://{address}",
        "NAIVE_VALUE": VALUE,
        "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}",
    }
    python = [sys.executable, "-m"]
    worker = [*python, "celery", "-A", "naive.celery", "worker", "-c", "2", "-l", "warning", "-n"]
    port = free_port()
    server = [*python, "uvicorn", "naive:app", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    redis = [redis_program(), "--port", "0", "--unixsocket", address, "--save", "", "--dir", str(folder)]
    commands = [
        ([*redis, "--appendonly", "yes"], {}),
        ([*worker, "one@%h"], variables),
        ([*worker, "two@%h"], variables),
    ]
    with running("naive", [*commands, (server, variables)], folder, f"http://127.0.0.1:{port}", "/docs") as system:
        yield system


async def measure(system: System, tasks: int, callers: int) -> Round:
    """Return the latency of single tasks and the rate of many."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(system.url, headers=headers, connector=connector) as http:

        async def run() -> str:
            async with http.post("/run", params={"key": "bench"}) as answer:
                answer.raise_for_status()
                status_url: str = (await answer.json())["status_url"]
                return status_url

        async def finish(status_url: str) -> None:
            async with http.get(status_url, params={"wait": 30}) as answer:
                assert (await answer.json())["state"] == "succeeded"

        took_ms = []
        for _ in range(IDLE_TASKS):
            status_url = await run()
            began = time.perf_counter()
            await finish(status_url)
            took_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.005)
        left = iter(range(tasks))

        async def call() -> None:
            for _ in left:
                await finish(await run())

        used, began = system.cpu_s(), time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        rate = tasks / (time.perf_counter() - began)
        cpu_us = {part: (spent - used.get(part, 0.0)) / tasks * 1e6 for part, spent in system.cpu_s().items()}
        return Round(took_ms, rate, cpu_us)


async def store(system: System) -> None:
    """Store the value that tasks work on, where the system has a store."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(system.url, headers=headers) as http:
        (await http.post("/add", json={"key": "bench", "value": VALUE})).raise_for_status()


def show(name: str, rounds: list[Round]) -> None:
    """Print what the rounds of a system measured."""
    took_ms = sorted(one for found in rounds for one in found.took_ms)
    p50, p99 = took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100]
    rate = statistics.median(found.rate for found in rounds)
    print(f"{name:28} 202 to result: p50 {p50:5.1f} ms, p99 {p99:6.1f} ms; {rate:6.0f} tasks/s end to end")
    parts = {part: statistics.median(found.cpu_us[part] for found in rounds) for part in rounds[0].cpu_us}
    told = [f"{part} {us:.0f}" for part, us in parts.items() if us >= 1]
    print(f"{'':28} CPU a task: {', '.join(told)} us; {sum(parts.values()):.0f} in all")


def main() -> None:
    """Drive both by turns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tasks", type=int, nargs="?", default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=32)
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vst-"))) for _ in range(2)]
        systems = [
            stack.enter_context(start(folder)) for start, folder in zip((naive, vestibule), folders, strict=True)
        ]
        asyncio.run(store(systems[1]))
        found: tuple[list[Round], list[Round]] = ([], [])
        for side in (0, 1):
            # Celery's workers may still start, and nothing is warm.
            asyncio.run(measure(systems[side], given.tasks // 4, given.callers))
        for _ in range(given.rounds):
            for side in random.sample((0, 1), 2):
                found[side].append(asyncio.run(measure(systems[side], given.tasks, given.callers)))
    show("Celery defaults, no ledger", found[0])
    show("Vestibule", found[1])
    ratios = sorted(ours.rate / theirs.rate for theirs, ours in zip(*found, strict=True))
    print(f"{'':28} {statistics.median(ratios):.2f} times ({ratios[0]:.2f}-{ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
