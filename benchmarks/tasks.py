"""What background work costs: Vestibule with its ledger against Celery with default settings and without one.

Both do the same: take `/run` over HTTP, read the stored value, have it turned into upper case by two workers with two
processes each, and give the result.

usage: python benchmarks/tasks.py [TASKS]
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from vestibule.cli.embedded.redis_server import find_redis_program

TASKS = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
IDLE_TASKS = 200
CALLERS = 32
TOKEN = "SECRET_TOKEN"
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


def free_base_port() -> int:
    """Return a port that is free together with the three that follow it."""
    while True:
        base = random.randrange(10_000, 30_000, 4)
        try:
            for port in range(base, base + 4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base


async def measure(name: str, url: str) -> None:
    """Print the latency of single tasks and the rate of many."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as http:

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
        took_ms.sort()
        left = iter(range(TASKS))

        async def call() -> None:
            for _ in left:
                await finish(await run())

        began = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        rate = TASKS / (time.perf_counter() - began)
    p50, p99 = took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100]
    print(f"{name:28} 202 to result: p50 {p50:5.1f} ms, p99 {p99:6.1f} ms; {rate:6.0f} tasks/s end to end")


def wait_for(url: str) -> None:
    """Return when something answers."""
    host, port = url.removeprefix("http://").split(":")
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing answers at {url}")


def measure_vestibule(folder: Path) -> None:
    """Measure a whole embedded system."""
    port = free_base_port()
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(folder / "var"), "--base-port", str(port)]
    output = folder / "output"
    with output.open("wb") as sink:
        system = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        while b"is ready (" not in output.read_bytes():
            assert system.poll() is None, output.read_text()
            time.sleep(0.1)
        url = f"http://127.0.0.1:{port}"
        asyncio.run(_store(url))
        asyncio.run(measure("Vestibule", url))
    finally:
        system.send_signal(signal.SIGTERM)
        system.wait(20)


async def _store(url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(url, headers=headers) as http:
        (await http.post("/add", json={"key": "bench", "value": VALUE})).raise_for_status()


def measure_naive(folder: Path) -> None:
    """Measure FastAPI and Celery as their tutorials put them together."""
    (folder / "naive.py").write_text(NAIVE)
    port = free_base_port()
    variables = {**os.environ, "NAIVE_REDIS": f"redis://127.0.0.1:{port + 1}/0", "NAIVE_VALUE": VALUE}
    python = [sys.executable, "-m"]
    worker = [*python, "celery", "-A", "naive.celery", "worker", "-c", "2", "-l", "warning", "-n"]
    commands = [
        [str(find_redis_program()), "--port", str(port + 1), "--save", "", "--dir", str(folder), "--appendonly", "yes"],
        [*worker, "one@%h"],
        [*worker, "two@%h"],
        [*python, "uvicorn", "naive:app", "--port", str(port), "--log-level", "warning", "--no-access-log"],
    ]
    parts = []
    try:
        for command in commands:
            parts.append(
                subprocess.Popen(
                    command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            )
            time.sleep(0.5)
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        time.sleep(5)
        asyncio.run(measure("Celery defaults, no ledger", url))
    finally:
        for part in reversed(parts):
            part.terminate()
            part.wait(20)


def main() -> None:
    """Measure both, one after the other."""
    for one in (measure_naive, measure_vestibule):
        with tempfile.TemporaryDirectory() as name:
            one(Path(name))


if __name__ == "__main__":
    main()
