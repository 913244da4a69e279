"""What an `/add` costs in the client and the database service, in several revisions and beside a bare FastAPI answer.

    python -m benchmarks.add_cost CHECKOUT... [--connections 100] [--seconds 2] [--rounds 7] [--leaks]

Each CHECKOUT is a clone after `make setup-dev`, `.` for this one; more than one are revisions to compare. All systems
run at the same time and are driven in turn by wrk, round after round. Prints CPU microseconds a request, the median of
the rounds, and as ratios within a round: to the bare answer, and to the first checkout. With `--leaks` each round also
sends values that are refused, and the ratio of a leak to a clean `/add` is printed, of the client and of all parts.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import SCRIPT
from benchmarks.revisions import revision
from benchmarks.systems import TOKEN, System, floor_fastapi


@dataclass
class Costs:
    """The CPU microseconds of a request in the rounds of one system: client, database, all parts; and of leaks."""

    client: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)
    parts: list[float] = field(default_factory=list)
    leak_in_client: list[float] = field(default_factory=list)
    leak_in_parts: list[float] = field(default_factory=list)


def drive(system: System, given: argparse.Namespace, dirty: int = 0) -> dict[str, float]:
    """Send requests for some seconds and return the CPU microseconds of each part for one of them."""
    command = ["wrk", "-t1", f"-c{given.connections}", f"-d{given.seconds}", "-s", str(SCRIPT), system.url]
    before = system.cpu_s()
    ended = subprocess.run(
        [*command, "--", "add", TOKEN, str(dirty)], capture_output=True, text=True, check=True
    ).stdout
    requests = max(1, json.loads(ended.rpartition("RESULT ")[2])["requests"])
    return {part: (used - before.get(part, 0.0)) / requests * 1e6 for part, used in system.cpu_s().items()}


def measure(systems: Sequence[System], floor: System, given: argparse.Namespace) -> tuple[list[Costs], list[float]]:
    """Return the costs of each system, and those of the floor."""
    costs, bare = [Costs() for _ in systems], []
    for system in systems:
        drive(system, given)
    for number in range(given.rounds):
        bare.append(sum(drive(floor, given).values()))
        pairs = list(zip(systems, costs, strict=True))
        for system, cost in pairs if number % 2 else reversed(pairs):
            used = drive(system, given)
            cost.client.append(used["client"])
            cost.database.append(used["database"])
            cost.parts.append(sum(used.values()))
            if given.leaks:
                used = drive(system, given, dirty=1)
                cost.leak_in_client.append(used["client"])
                cost.leak_in_parts.append(sum(used.values()))
    return costs, bare


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the ratio within a round as median (least-most)."""
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("checkouts", nargs="+", type=Path)
    ask.add_argument("--connections", type=int, default=100)
    ask.add_argument("--seconds", type=int, default=2)
    ask.add_argument("--rounds", type=int, default=7)
    ask.add_argument("--leaks", action="store_true")
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = [Path(name) / str(number) for number in range(len(given.checkouts) + 1)]
        for folder in folders:
            folder.mkdir()
        checkouts = [checkout.resolve() for checkout in given.checkouts]
        systems = [stack.enter_context(revision(*pair)) for pair in zip(checkouts, folders[1:], strict=True)]
        costs, bare = measure(systems, stack.enter_context(floor_fastapi(folders[0])), given)
    print(f"bare FastAPI answer {statistics.median(bare):.0f} us")
    for checkout, cost in zip(checkouts, costs, strict=True):
        both = [one + other for one, other in zip(cost.client, cost.database, strict=True)]
        print(
            f"{checkout}: client {statistics.median(cost.client):.0f} us, with database {statistics.median(both):.0f}"
        )
        print(f"  times the bare answer: client {ratio(cost.client, bare)}, with database {ratio(both, bare)}")
        if cost is not costs[0]:
            first = costs[0]
            print(f"  times the first: client {ratio(cost.client, first.client)}, "
                  f"database {ratio(cost.database, first.database)}")  # fmt: skip
        if given.leaks:
            print(f"  a leak, times a clean one: client {ratio(cost.leak_in_client, cost.client)}, "
                  f"all parts {ratio(cost.leak_in_parts, cost.parts)}")  # fmt: skip


if __name__ == "__main__":
    main()
