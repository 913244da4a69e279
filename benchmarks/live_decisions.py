"""What consoles that watch decisions cost the door: `POST /add` at saturation without and with listeners, by turns.

First the work for one decision alone, in this process and by CPU time, which a busy machine does not change.

    python -m benchmarks.live_decisions [--listeners 10] [--at-most 5] [--seconds 5] [--turns 6]

`--at-most 0` listens to every decision. Needs wrk. All is on loopback; the listeners are part of the load.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.systems import ROOT, TOKEN, System, vestibule
from redis.asyncio import Redis

from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import DecisionPublisher
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.decisions.stream import DecisionStream, Listener
from vestibule.contracts.decisions import DecisionFilter
from vestibule.policy import Decision, Situation
from vestibule.policy.decision_log import DecisionLog

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}
CONNECTIONS = 32
# Processes notice within some seconds that somebody listens, or that nobody does any more.
SETTLES_S = 7.0


def cost_us(heard: list[bytes | None], listeners: int, at_most: int | None) -> float:
    """Return the CPU time of a clean decision, from its record to what listeners are sent, at 1,500 a second."""
    count, in_a_message = 3000, 300
    with tempfile.TemporaryDirectory() as folder:
        log = DecisionLog(Path(folder), 1, lambda _error, _lines: None)
        publisher = DecisionPublisher(RateCounter(log))
        audit = DecisionAudit(log, publisher, lambda value, _tenant: value, "d")
        publisher._note(heard)
        stream = DecisionStream(Redis())
        stream._listeners += [Listener(DecisionFilter(), at_most) for _ in range(listeners)]
        decision, situation = Decision("p"), Situation("/add", "id", "reports")
        began = time.process_time()
        for number in range(count):
            audit.record(decision, situation, {})
            if number % in_a_message == in_a_message - 1:
                while (message := publisher._take()) is not None:
                    stream._receive(message)
                for one in stream._listeners:
                    one.take()
        return (time.process_time() - began) / count * 1e6


class Listeners:
    """Streams of decisions, each in a thread, until they are closed."""

    def __init__(self, url: str, count: int, at_most: int) -> None:
        self.seen: Counter[str] = Counter()
        self._client = httpx.Client(base_url=url, headers=HEADERS, timeout=60)
        self._query = {"at_most": at_most} if at_most else {}
        self._is_over = False
        self._threads = [threading.Thread(target=self._listen, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        with suppress(httpx.HTTPError), self._client.stream("GET", "/decisions", params=self._query) as answer:
            kind = ""
            for line in answer.iter_lines():
                if self._is_over:
                    return
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                    self.seen[kind] += 1
                elif line.startswith("data: ") and kind != "decision":
                    self.seen[f"of {kind}"] += sum(json.loads(line.removeprefix("data: ")).values())

    def close(self) -> None:
        """End all streams."""
        self._is_over = True
        for thread in self._threads:
            thread.join(15)
        self._client.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """How many pairs were added a second, and what each cost the door."""

    adds_per_s: float
    door_us: float


def measure(system: System, seconds: int) -> Measured:
    """Add pairs over 32 connections, one of twenty with a finding."""
    script = [str(ROOT / "benchmarks/load.lua"), system.url, "--", "dirty", TOKEN, "0.05"]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", *script]
    before = system.cpu_s()["client"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    used_s = system.cpu_s()["client"] - before
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    total = re.search(r"(\d+) requests in", told)
    if found is None or total is None:
        raise SystemExit(f"wrk says no rate:\n{told}")
    return Measured(float(found.group(1)), used_s / int(total.group(1)) * 1e6)


def main() -> int:
    """Measure by turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=10)
    parser.add_argument("--at-most", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=6)
    options = parser.parse_args()
    nobody, sampled, full = (
        min(cost_us(heard, count, at_most) for _ in range(5))
        for heard, count, at_most in (
            ([None] * 4, 0, None),
            ([None, b"1", None, None], options.listeners, 5),
            ([b"1", None, None, None], options.listeners, None),
        )
    )
    print(f"a decision: {nobody:.1f} us unwatched, {sampled:.1f} with samples of 5 a second, {full:.1f} with all")
    alone: list[Measured] = []
    watched: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder, vestibule(Path(folder)) as system:
        measure(system, options.seconds)
        for turn in range(options.turns):
            alone.append(measure(system, options.seconds))
            listeners = Listeners(system.url, options.listeners, options.at_most)
            time.sleep(SETTLES_S)
            watched.append(measure(system, options.seconds))
            listeners.close()
            time.sleep(SETTLES_S)
            print(f"turn {turn + 1}: alone {_told(alone[-1])}, watched {_told(watched[-1])}; {dict(listeners.seen)}")
    rates = [two.adds_per_s / one.adds_per_s - 1 for one, two in zip(alone, watched, strict=True)]
    costs = [two.door_us / one.door_us - 1 for one, two in zip(alone, watched, strict=True)]
    rate, cost = statistics.median(rates), statistics.median(costs)
    print(f"medians: {rate:+.1%} pairs a second, {cost:+.1%} CPU of the client service for each")
    return 0


def _told(one: Measured) -> str:
    return f"{one.adds_per_s:,.0f} a second at {one.door_us:,.0f} us"


if __name__ == "__main__":
    sys.exit(main())
