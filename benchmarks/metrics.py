"""What counting adds to the CPU of an `/add`, and what a trace adds to that where one is on.

    python -m benchmarks.metrics [--requests 400] [--rounds 9]

As in `intake_cost.py`, client and database service run in this one process, joined without a socket, with all else
real. Rounds of the states alternate: everything counted, nothing counted. Prints microseconds of CPU a request, of the
median round and of the best, and what one look at the current span costs where traces are off.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.intake_cost import cost_us, running

from vestibule.service_kit.metrics.catalogue import (
    DECISIONS,
    REQUEST_DURATION,
    REQUESTS,
    STORE_COMMIT_CHANGES,
    STORE_DURATION,
)
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.tracing import span

COUNTING = ("count", "observe", "set")


def turn(is_on: bool, kept: dict[str, Any]) -> None:
    """Count, or do nothing in its place."""
    for name, method in kept.items():
        setattr(Metrics, name, method if is_on else lambda *_values, **_options: None)


async def measure(requests: int, rounds: int) -> dict[bool, list[float]]:
    """Return the cost of a request in each round, with and without counting."""
    kept, costs = {name: getattr(Metrics, name) for name in COUNTING}, {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as app:
            await cost_us(app, requests)
            for _ in range(rounds):
                for is_on in (True, False):
                    turn(is_on, kept)
                    costs[is_on].append(await cost_us(app, requests))
    turn(True, kept)
    return costs


def span_us(times: int = 50_000) -> float:
    """Return what a span costs where nobody traces, in microseconds."""
    began = time.process_time()
    for _ in range(times):
        with span("nothing"):
            pass
    return (time.process_time() - began) / times * 1e6


def counting_us(times: int = 10_000) -> float:
    """Return what the calls of one `/add` cost by themselves, in microseconds."""
    metrics = Metrics("benchmark")
    began = time.process_time()
    for _ in range(times):
        metrics.count(REQUESTS, "POST", "/add", "200")
        metrics.observe(REQUEST_DURATION, 0.003, "POST", "/add")
        metrics.count(DECISIONS, "none")
        metrics.count(REQUESTS, "POST", "/write", "200")
        metrics.observe(REQUEST_DURATION, 0.001, "POST", "/write")
        metrics.observe(STORE_DURATION, 0.0005, "write", "ok")
        metrics.observe(STORE_COMMIT_CHANGES, 10)
    return (time.process_time() - began) / times * 1e6


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--requests", type=int, default=400)
    options.add_argument("--rounds", type=int, default=9)
    chosen = options.parse_args()
    costs = asyncio.run(measure(chosen.requests, chosen.rounds))
    for name, pick in (("median", statistics.median), ("best", min)):
        on, off = pick(costs[True]), pick(costs[False])
        print(f"{name:>6}: {off:7.1f} us a request without counting, {on:7.1f} us with, {on - off:+6.1f} us")
    print(f"the calls of one /add by themselves, in both services: {min(counting_us() for _ in range(9)):.1f} us")
    print(f"a span where nobody traces: {min(span_us() for _ in range(9)):.2f} us, about four in an /add")


if __name__ == "__main__":
    main()
