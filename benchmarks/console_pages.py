"""How long pages of the console take with a million tasks and a million alerts behind them.

    python -m benchmarks.console_pages [--rows 1000000] [--repeat 11] [--within-ms 100]

Fills the files of a stopped system, starts it, signs in and asks for each page, one after the other. Prints the median
and the slowest of each. Ends with 1 where a median is above the bound.
"""

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx
from benchmarks import filters_alerts, filters_tasks
from benchmarks.systems import TOKEN, System, vestibule

from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.database_service.main import build_store, build_task_ledger
from vestibule.database_service.settings import DatabaseSettings

CONSOLE_OFFSET = 4
PAGES = (
    "/",
    "/requests",
    "/findings",
    "/alerts",
    "/alerts?state=open",
    "/alerts?type=PersonalData",
    "/tasks",
    "/tasks?state=dead",
    "/tasks?processor=redact",
    "/workers",
    "/schedules",
    "/store",
    "/policy",
    "/tokens",
    "/availability",
)
# Those that list what was filled in, and so many of it at least.
FULL, ROWS_SHOWN = ("/alerts", "/tasks", "/tasks?state=dead"), 20


def make(folder: Path) -> str:
    """Run a system for one task, and return how its record stands in the file."""
    with vestibule(folder) as system:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        accepted = httpx.post(f"{system.url}/messages", json={"text": "hello"}, headers=headers).json()
        httpx.get(f"{system.url}{accepted['status_url']}", params={"wait": 30}, headers=headers, timeout=60)
    with closing(sqlite3.connect(folder / "var" / "vestibule.db")) as connection:
        return str(connection.execute("SELECT data FROM tasks").fetchone()[0])


async def fill(folder: Path, rows: int, record: str) -> None:
    """Write tasks and alerts into the files of a system that does not run."""
    filters_alerts.fill(folder / "var" / "alerts.db", rows)
    made = filters_tasks.row_of

    def row_of(number: int, count: int) -> tuple[object, ...]:
        task_id, _tenant, *rest, _record = made(number, count)
        return task_id, DEFAULT_TENANT, *rest, record

    filters_tasks.row_of = row_of
    store = build_store(DatabaseSettings(data_dir=folder / "var"))
    async with store:
        ledger = build_task_ledger(store)
        await ledger.prepare()
        await filters_tasks.fill(ledger, rows)


def measure(system: System, repeat: int) -> dict[str, list[float]]:
    """Return the times of each page in milliseconds."""
    base, _, port = system.url.rpartition(":")
    url = f"{base}:{int(port) + CONSOLE_OFFSET}"
    took: dict[str, list[float]] = {page: [] for page in PAGES}
    with httpx.Client(base_url=url, timeout=60) as http:
        http.post("/sign-in", data={"token": TOKEN}, headers={"Origin": url})
        for _ in range(repeat):
            for page in PAGES:
                began = time.perf_counter()
                answer = http.get(page)
                took[page].append((time.perf_counter() - began) * 1000)
                if answer.status_code != httpx.codes.OK:
                    raise SystemExit(f"{page}: {answer.status_code}\n{answer.text[:2000]}")
                if page in FULL and answer.text.count("<tr") < ROWS_SHOWN:
                    raise SystemExit(f"{page} shows hardly anything:\n{answer.text[:5000]}")
    return took


def main() -> int:
    """Fill, measure, and say whether every page came in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=11)
    parser.add_argument("--within-ms", type=float, default=100.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = make(folder)
        began = time.perf_counter()
        asyncio.run(fill(folder, options.rows, record))
        print(f"{options.rows:,} tasks and alerts, written in {time.perf_counter() - began:.0f} s", flush=True)
        with vestibule(folder) as system:
            time.sleep(5)  # what follows a start is another subject
            took = measure(system, options.repeat)
    for page, times in took.items():
        print(f"{statistics.median(times):8.1f} ms, at most {max(times):.1f}  {page}")
    return int(any(statistics.median(times) > options.within_ms for times in took.values()))


if __name__ == "__main__":
    sys.exit(main())
