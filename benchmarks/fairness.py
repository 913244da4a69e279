"""What a flood of one tenant's tasks is to another tenant, and what keeping them apart costs a tenant that is alone.

    python -m benchmarks.fairness [--tasks 100000] [--beside 20] [--other CHECKOUT] [--rounds 5]

First, by itself, the CPU of a worker and of Redis for taking one message, from the queues of one partition and from
those of all, by turns. Then the tasks of one tenant are recorded in the ledger and sent from there; while they wait, a
second tenant sends one task a second. Prints after how long each of those started, and how many of the flood were left.
With OTHER_CHECKOUT, a clone at another revision after `make setup-dev`, both systems run at the same time, and rounds
with one tenant alternate between them: time from the 202 to the result, tasks a second, and CPU for each task.
"""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
from benchmarks.revisions import revision
from benchmarks.systems import ROOT, TOKEN, System
from redis import Redis

from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.contracts.task_ledger import NewTask
from vestibule.contracts.tasks import ALL_QUEUES, QUEUE, QUEUES_BY_PARTITION
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.service_kit.auth.service_secret import ServiceSecret
from vestibule.service_kit.auth.token_file import create_token
from vestibule.service_kit.service_client import ServiceClient

AT_ONCE = 1_000
TAKEN, TAKING_ROUNDS, MESSAGE = 2_000, 9, b"x" * 1_500
IDLE_TASKS = 100
TASKS_A_ROUND = 3_000
TEXT = "the quick brown fox jumps over the lazy dog"
WAITED_MOST_S = 30.0
UNFINISHED = ("queued", "running", "retrying")


@contextlib.asynccontextmanager
async def ledger_of(system: System, data_dir: Path) -> AsyncIterator[TaskLedgerClient]:
    """Yield a client of the ledger of a system in embedded mode."""
    scheme, _, port = system.url.rpartition(":")
    secret = ServiceSecret.read(data_dir / "keys" / "service_secret")
    async with ServiceClient("database", f"{scheme}:{int(port) + 1}", secret, 60) as peer:
        yield TaskLedgerClient(DatabaseTransport(peer))


def measure_taking(folder: Path) -> None:
    """Print the CPU of taking a message from the queues of one partition, and from those of all."""
    path = folder / "taking.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([str(find_redis_program()), *options], stdout=subprocess.DEVNULL)
    used_us: dict[int, list[float]] = {}
    try:
        while not path.exists():
            time.sleep(0.05)
        with Redis(unix_socket_path=str(path)) as redis:
            connection = redis.connection_pool.get_connection()
            for queues in (QUEUES_BY_PARTITION[0], ALL_QUEUES) * TAKING_ROUNDS:
                redis.lpush(QUEUE, *[MESSAGE] * TAKEN)
                began = time.process_time() + _server_s(redis)
                for _ in range(TAKEN):
                    connection.send_command("BRPOP", *queues, 1)
                    connection.read_response()
                used_us.setdefault(len(queues), []).append(
                    (time.process_time() + _server_s(redis) - began) / TAKEN * 1e6
                )
    finally:
        server.terminate()
        server.wait()
    for count, used in used_us.items():
        print(f"taking a message from {count:2} queues: {statistics.median(used):.1f} us of CPU", flush=True)


def _server_s(redis: Redis) -> float:
    used = redis.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def record(ledger: TaskLedgerClient, tenant: str, count: int) -> None:
    """Record tasks that the relay sends."""
    for start in range(0, count, AT_ONCE):
        new = [
            NewTask(
                task_id=str(uuid4()),
                tenant=tenant,
                processor="uppercase",
                data=TEXT,
                submitted_at=time.time(),
                due_in_s=0,
            )
            for _ in range(min(AT_ONCE, count - start))
        ]
        await asyncio.gather(*map(ledger.accept, new))


async def left(ledger: TaskLedgerClient, tenant: str) -> int:
    """Return how many tasks of a tenant have not ended."""
    return sum(one.tasks for one in await ledger.counts(tenant) if one.state in UNFINISHED)


@contextlib.asynccontextmanager
async def caller(system: System, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session that is authenticated as soon as the service knows the token."""
    async with aiohttp.ClientSession(system.url, headers={"Authorization": f"Bearer {token}"}) as http:
        while (await http.get("/tasks/counts")).status == 401:  # noqa: ASYNC110 - it offers nothing to wait for
            await asyncio.sleep(0.2)
        yield http


async def run_one(http: aiohttp.ClientSession) -> tuple[float, float]:
    """Run a task; return the seconds from its submission to its start, and from the 202 to its result."""
    async with http.post("/messages", json={"text": TEXT}) as answer:
        task_id = (await answer.json())["task_id"]
    began = time.perf_counter()
    async with http.get(f"/tasks/{task_id}", params={"wait": WAITED_MOST_S}) as answer:
        task = await answer.json()
    took_s = time.perf_counter() - began
    if task["state"] != "succeeded":
        return WAITED_MOST_S, WAITED_MOST_S
    return _time(task["started_at"]) - _time(task["submitted_at"]), took_s


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def measure_flood(system: System, data_dir: Path, tasks: int, beside: int) -> None:
    """Print after how long tasks of one tenant start while `tasks` of another wait."""
    token, _ = create_token(data_dir / "keys" / "tokens.json", "beside", ["*"], tenant="beside")
    async with ledger_of(system, data_dir) as ledger, caller(system, token) as http:
        began = time.perf_counter()
        await record(ledger, "flood", tasks)
        took_s = time.perf_counter() - began
        print(
            f"{system.name}: {tasks} tasks recorded in {took_s:.0f} s, {await left(ledger, 'flood')} left", flush=True
        )
        started_s = []
        for number in range(beside):
            started_s.append((await run_one(http))[0])
            if number in (0, beside - 1):
                waiting = await left(ledger, "flood")
                print(
                    f"  task {number + 1} beside them started after {started_s[-1]:.3f} s; {waiting} left", flush=True
                )
            await asyncio.sleep(max(0.0, 1.0 - started_s[-1]))
        started_s.sort()
        print(f"  p50 {started_s[len(started_s) // 2]:.3f} s, longest {started_s[-1]:.3f} s of {beside}", flush=True)


async def measure_alone(system: System, data_dir: Path) -> dict[str, float]:
    """Return what tasks of one tenant take and cost; CPU microseconds of each part and of all."""
    async with ledger_of(system, data_dir) as ledger, caller(system, TOKEN) as http:
        idle = [(await run_one(http))[1] for _ in range(IDLE_TASKS)]
        before, began = system.cpu_s(), time.perf_counter()
        await record(ledger, "default", TASKS_A_ROUND)
        while await left(ledger, "default"):  # noqa: ASYNC110 - it offers nothing to wait for
            await asyncio.sleep(0.1)
        took_s = time.perf_counter() - began
        used_s = {f"CPU us of {part}": used - before[part] for part, used in system.cpu_s().items()}
        cpu_us = {name: seconds / TASKS_A_ROUND * 1e6 for name, seconds in used_s.items()}
    measured = {"ms from 202 to result": statistics.median(idle) * 1e3, "tasks a second": TASKS_A_ROUND / took_s}
    return {**measured, "CPU us of all": sum(cpu_us.values()), **cpu_us}


def compare(systems: list[System], folders: list[Path], rounds: int) -> None:
    """Print the medians of rounds that alternate between two systems, and the median of the ratios of each round."""
    measured: list[list[dict[str, float]]] = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            measured[side].append(asyncio.run(measure_alone(systems[side], folders[side] / "var")))
    for what in measured[0][0]:
        ours, others = ([found[what] for found in side] for side in measured)
        ratio = statistics.median(one / max(other, 1.0) for one, other in zip(ours, others, strict=True))
        one, other = statistics.median(ours), statistics.median(others)
        print(f"alone: {what:24} this {one:8.1f}   other {other:8.1f}   ratio of a round {ratio:.3f}", flush=True)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--beside", type=int, default=20)
    parser.add_argument("--other", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    checkouts = [ROOT] if given.other is None else [ROOT, given.other.resolve()]
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = [Path(name) / str(number) for number in range(len(checkouts))]
        for folder in folders:
            folder.mkdir()
        systems = [stack.enter_context(revision(*pair)) for pair in zip(checkouts, folders, strict=True)]
        measure_taking(Path(name))
        if given.other is not None:
            compare(systems, folders, given.rounds)
        for system, folder in zip(systems, folders, strict=True):
            if given.tasks:
                asyncio.run(measure_flood(system, folder / "var", given.tasks, given.beside))


if __name__ == "__main__":
    main()
