"""Two revisions of Vestibule side by side: CPU of an `/add`, a `/run` and a task, start, and memory.

    python benchmarks/revisions.py OTHER_CHECKOUT [--requests 2000] [--rounds 7] [--starts 5]

OTHER_CHECKOUT is a clone at another revision after `make setup-dev`. Both systems run at the same time; rounds of each
route alternate between them, so that a busy machine disturbs both alike. CPU seconds are those of all processes of a
system, read before and after each round; starts alternate too, and are second starts. Prints medians and the ratio
of this revision to the other: below 1 this one needs less.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from benchmarks.systems import ROOT, TOKEN, System, free_port, running

CONNECTIONS = 10
WAITING_CALLERS = 32
PARTS = ("client", "database", "worker", "redis")
SETTLED_WITHIN_S = 60.0
WAITED_RUN = "/run and wait"
LABELS = {
    "/add": "CPU of an /add",
    "/run": "CPU of a /run with its task",
    WAITED_RUN: "CPU of a /run that is waited for",
}


@contextlib.contextmanager
def revision(checkout: Path, folder: Path) -> Iterator[System]:
    """Run `vestibule up` of a checkout; logs and data stay in `folder`."""
    port = free_port(4)
    program = str(checkout / ".venv" / "bin" / "python")
    command = [program, "-m", "vestibule", "up", "--data-dir", str(folder / "var"), "--base-port", str(port)]
    # Load is shed by time, which would make the rounds of a busy machine shorter.
    settings = {"VESTIBULE_LOAD_SHED_AFTER_S": "0"}
    with running(checkout.name, [(command, settings)], folder, f"http://127.0.0.1:{port}", "/readyz") as system:
        yield system


async def send(system: System, path: str, requests: int) -> list[str]:
    """Send `requests` POSTs over kept connections and return the ids of the tasks that were accepted."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    remaining, task_ids = iter(range(requests)), []
    async with aiohttp.ClientSession(system.url, headers=headers) as session:

        async def caller() -> None:
            for number in remaining:
                value = f"the quick brown fox jumps over the lazy dog {number}"
                body = {"key": f"key-{number % 100}", "value": value} if path == "/add" else {"key": "key-1"}
                async with session.post(path, json=body) as answer:
                    content = await answer.json()
                    assert answer.status in (200, 202), content
                    if "task_id" in content:
                        task_ids.append(content["task_id"])

        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        # The last task to end: CPU of the tasks counts with that of their acceptance.
        for task_id in task_ids[-CONNECTIONS:]:
            async with session.get(f"/tasks/{task_id}?wait=30") as answer:
                assert (await answer.json())["state"] == "succeeded"
    return task_ids


async def run_and_wait(system: System, tasks: int) -> None:
    """Run tasks by callers who wait for each before they send the next."""
    headers, remaining = {"Authorization": f"Bearer {TOKEN}"}, iter(range(tasks))
    async with aiohttp.ClientSession(system.url, headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def caller() -> None:
            for _ in remaining:
                async with session.post("/run", json={"key": "key-1"}) as answer:
                    status_url = (await answer.json())["status_url"]
                async with session.get(status_url, params={"wait": 30}) as answer:
                    assert (await answer.json())["state"] == "succeeded"

        await asyncio.gather(*(caller() for _ in range(WAITING_CALLERS)))


def measure_round(system: System, path: str, requests: int) -> dict[str, float]:
    """Return the CPU microseconds of each part, and of all, for each request, its task included."""
    before = system.cpu_s()
    asyncio.run(run_and_wait(system, requests) if path == WAITED_RUN else send(system, path, requests))
    used = {part: (spent - before.get(part, 0.0)) / requests * 1e6 for part, spent in system.cpu_s().items()}
    return {**used, "all": sum(used.values())}


def start_s(checkout: Path, folder: Path) -> float:
    """Return the time of a second start until `/readyz` answers."""
    began = time.monotonic()
    with revision(checkout, folder):
        return time.monotonic() - began


def row(name: str, unit: str, ours: list[float], others: list[float]) -> dict[str, object]:
    """Return one line of the result."""
    one, other = statistics.median(ours), statistics.median(others)
    return {"what": name, "unit": unit, "this": round(one, 2), "other": round(other, 2), "ratio": round(one / other, 3)}


def compare(other: Path, requests: int, rounds: int, starts: int) -> Iterator[dict[str, object]]:
    """Yield the rows of the comparison."""
    checkouts = (ROOT, other)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / side for side in ("this", "other")]
        for folder in folders:
            folder.mkdir()
        with contextlib.ExitStack() as stack:
            systems = [stack.enter_context(revision(*pair)) for pair in zip(checkouts, folders, strict=True)]
            for path, label in LABELS.items():
                for system in systems:
                    measure_round(system, path, requests // 4)
                used: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
                for number in range(rounds):
                    for side in (0, 1) if number % 2 else (1, 0):
                        used[side].append(measure_round(systems[side], path, requests))
                for part in ("all", *PARTS) if path == WAITED_RUN else ("all",):
                    what = label if part == "all" else f"- {part}"
                    yield row(what, "us", *([one.get(part, 0.0) for one in rounds] for rounds in used))
            time.sleep(5)
            yield row("memory of all parts (USS)", "MB", *([sum(one.memory_mb().values())] for one in systems))
        times: list[list[float]] = [[], []]
        for number in range(starts):
            for side in (0, 1) if number % 2 else (1, 0):
                times[side].append(start_s(checkouts[side], folders[side]))
        yield row("second start", "s", *times)


def main() -> None:
    """Print the comparison as a table, and as JSON lines on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    revision_of = ["git", "-C", str(given.other), "rev-parse", "--short", "HEAD"]
    print("other revision:", subprocess.run(revision_of, capture_output=True, text=True, check=True).stdout.strip())
    for line in compare(given.other.resolve(), given.requests, given.rounds, given.starts):
        text = "{what:33} {this:>10} {other:>10} {unit:3} ratio {ratio}".format(**line)
        print(json.dumps(line) if given.json else text, flush=True)


if __name__ == "__main__":
    main()
