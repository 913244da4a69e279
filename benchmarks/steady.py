"""Mixed load at 70% of what a system can carry, for a while: what grows that should not?

    python -m benchmarks.steady [--minutes 10] [--rate REQUESTS_PER_SECOND]

With --rate it is as many a second as that, for a machine that is not free the whole time.

Prints memory (USS), descriptors and times of ten stretches, and ends with 1 where memory or descriptors grew from the
first three to the last by more than is allowed, where something was not served, or where no log was rotated.
"""

import argparse
import asyncio
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from benchmarks.systems import TOKEN, System, vestibule

from vestibule.cli.commands.bench import ROUTES, Measured, measure, open_session, send

STRETCHES = 10
COMPARED = 3
SHARE = 0.7
CONNECTIONS = 32
MOST_GROWTH = 1.10
SPARE_MB = 8
# The services open a connection to each other for each caller who needs one at the same moment, and keep them.
SPARE_DESCRIPTORS = CONNECTIONS
# What Redis keeps of a task for an hour after its end, and a part of it for ten minutes.
KEPT_OF_A_TASK_MB = 0.8e-3
MIX = ["add"] * 5 + ["read"] * 3 + ["run", "messages", "scan"]


@dataclass
class Stretch:
    """What was seen at the end of a stretch."""

    memory_mb: dict[str, float]
    descriptors: int
    measured: Measured = field(default_factory=Measured)


def look(system: System, measured: Measured) -> Stretch:
    """Return how things are now."""
    descriptors = 0
    for member in system.members():
        with contextlib.suppress(psutil.Error):
            descriptors += member.num_fds()
    return Stretch(system.memory_mb(), descriptors, measured)


async def drive(url: str, rate: float, seconds: float) -> Measured:
    """Send so many requests a second, whatever becomes of the others."""
    measured, numbers = Measured(), itertools.count(1)
    began = time.perf_counter()
    async with open_session(url, TOKEN, CONNECTIONS) as session:

        async def ask_in_turn(first: int) -> None:
            for turn in itertools.count():
                due = began + (first + turn * CONNECTIONS) / rate
                if due > began + seconds:
                    return
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                number = next(numbers)
                await send(session, ROUTES[MIX[number % len(MIX)]](number), measured)

        await asyncio.gather(*(ask_in_turn(first) for first in range(CONNECTIONS)))
    measured.elapsed_s = time.perf_counter() - began
    return measured


def faults_of(stretches: list[Stretch], log_dir: Path) -> list[str]:
    """Return what is not as it should be.

    What three stretches have at the beginning and at the end is compared: at any one moment a process of a worker may
    be away, whose place another takes after some thousand tasks.
    """
    early, late = stretches[:COMPARED], stretches[-COMPARED:]
    kept_mb = KEPT_OF_A_TASK_MB * sum(one.measured.statuses[202] for one in stretches[1:])
    faults = []
    for part in late[-1].memory_mb:
        before, after = (statistics.median(one.memory_mb.get(part, 0.0) for one in some) for some in (early, late))
        if after > before * MOST_GROWTH + SPARE_MB + (kept_mb if part == "redis" else 0):
            faults.append(f"{part} grew from {before:.0f} to {after:.0f} MB")
    before, after = (statistics.median(one.descriptors for one in some) for some in (early, late))
    if after > before + SPARE_DESCRIPTORS:
        faults.append(f"descriptors grew from {before:.0f} to {after:.0f}")
    unserved = sum(one.measured.unanswered + one.measured.statuses.total() for one in stretches)
    unserved -= sum(one.measured.statuses[200] + one.measured.statuses[202] for one in stretches)
    if unserved:
        faults.append(f"{unserved} requests were not served")
    if len(list(log_dir.glob("app*"))) < 2:
        faults.append("no log was rotated")
    return faults


def carried_per_s(url: str) -> float:
    """Return how many requests of the mix a second can be sent, by as many of each as it has, one after the other."""
    rates = [asyncio.run(measure(url, TOKEN, route, CONNECTIONS, 2)) for route in dict.fromkeys(MIX)]
    times_s = dict(zip(dict.fromkeys(MIX), (one.elapsed_s / len(one.took_s) for one in rates), strict=True))
    return len(MIX) / sum(times_s[route] for route in MIX)


def main() -> None:
    """Drive, look, and judge."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--minutes", type=float, default=10)
    ask.add_argument("--rate", type=float)
    options = ask.parse_args()
    seconds = options.minutes * 60 / STRETCHES
    stretches: list[Stretch] = []
    with tempfile.TemporaryDirectory() as name, vestibule(Path(name), VESTIBULE_LOG_MAX_BYTES="1000000") as system:
        rate = options.rate or SHARE * carried_per_s(system.url)
        print(f"{rate:,.0f} requests/s" + ("" if options.rate else f", {SHARE:.0%} of what this mix can be sent with"))
        for number in range(STRETCHES):
            stretches.append(look(system, asyncio.run(drive(system.url, rate, seconds))))
            one = stretches[-1]
            memory = ", ".join(f"{part} {mb:.0f}" for part, mb in sorted(one.memory_mb.items()))
            times = f"p50 {one.measured.percentile_ms(0.5):.1f}, p99 {one.measured.percentile_ms(0.99):.1f} ms"
            print(f"{number + 1:2}: {times}; {one.descriptors} descriptors; MB: {memory}", flush=True)
        faults = faults_of(stretches, Path(name) / "var" / "logs")
    p50s = [one.measured.percentile_ms(0.5) for one in stretches]
    print(f"p50 of the stretches: {min(p50s):.1f} to {max(p50s):.1f} ms, median {statistics.median(p50s):.1f}")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main()
