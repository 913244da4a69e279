"""One deployment under 10 to 1,000 connections at once, with a mix of what callers do, as a table for docs/scaling.md.

    python -m benchmarks.tiers                                        # the embedded system, started for this
    python -m benchmarks.tiers --url http://127.0.0.1:8000 --token-file token --containers microservices-pod

Needs `wrk` (Debian: `apt install wrk`), which takes part of the same cores. With --url a running deployment is driven:
the pod, or the replicas behind their balancer; --containers reads the memory of the containers whose names begin so.
Between two levels it waits until all tasks are done, so each begins with an empty queue.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from benchmarks.systems import SYSTEMS, TOKEN

SCRIPT = Path(__file__).with_name("tiers.lua")
DRAINED_WITHIN_S = 600
MonitorState = Callable[[], dict[str, float]]


@dataclass
class Level:
    """What one number of connections came to."""

    connections: int
    served_per_s: float
    tasks_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    busy: int
    errors: int
    drained_after_s: float
    memory_mb: dict[str, float]


@dataclass
class Target:
    """A deployment to drive."""

    name: str
    url: str
    token: str
    memory: MonitorState


def main() -> None:
    """Drive, print the table, and write JSON where asked."""
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt install wrk)")
    with _target(options) as target:
        _call(target, "POST", "/add", {"key": "bench-0-1", "value": "hello"})
        levels = [_drive(target, int(one), options.seconds) for one in options.connections.split(",")]
    about = {"system": target.name, "machine": _processor(), "cores": psutil.cpu_count(), "load": os.getloadavg()[2]}
    print(f"{target.name}, {about['machine']}, {about['cores']} cores, load over 15 min {about['load']:.1f}\n")
    print(_table(levels))
    if options.json:
        Path(options.json).write_text(json.dumps({"about": about, "levels": [asdict(one) for one in levels]}, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One deployment under 10 to 1,000 connections at once.")
    parser.add_argument("--connections", default="10,50,100,500,1000")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--url", help="a running deployment; without it one is started in embedded mode")
    parser.add_argument("--token-file", type=Path, help="file with a token of the scopes add, run and message")
    parser.add_argument("--containers", default="", help="beginning of the names of its containers")
    parser.add_argument("--json")
    return parser.parse_args()


@contextlib.contextmanager
def _target(options: argparse.Namespace) -> Iterator[Target]:
    if options.url:
        token = options.token_file.read_text().strip() if options.token_file else TOKEN
        memory = (lambda: _containers_mb(options.containers)) if options.containers else dict
        yield Target(options.containers or "running", options.url.rstrip("/"), token, memory)
        return
    with tempfile.TemporaryDirectory() as home, SYSTEMS["vestibule"](Path(home)) as system:
        yield Target("embedded", system.url, TOKEN, system.memory_mb)


def _drive(target: Target, connections: int, seconds: float) -> Level:
    command = [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s", "--timeout", "10s",
        "--latency", "--script", str(SCRIPT), target.url, "--", target.token,
    ]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout
    memory = target.memory()
    result = json.loads(
        next(line for line in output.splitlines() if line.startswith("RESULT ")).removeprefix("RESULT ")
    )
    lasted_s = result["duration_us"] / 1e6
    level = Level(
        connections=connections,
        # A refusal is quickly made: what was answered 503 is no work done.
        served_per_s=sum(result[kind] for kind in ("stored", "accepted", "refused")) / lasted_s,
        tasks_per_s=result["accepted"] / lasted_s,
        p50_ms=result["p50_us"] / 1e3,
        p95_ms=result["p95_us"] / 1e3,
        p99_ms=result["p99_us"] / 1e3,
        busy=result["busy"],
        errors=result["failed"] + result["cut"] + result["timeouts"],
        drained_after_s=_drained_after_s(target),
        memory_mb=memory,
    )
    print(
        f"x{connections}: {level.served_per_s:,.0f}/s, p99 {level.p99_ms:.0f} ms, {level.busy} x 503", file=sys.stderr
    )
    return level


def _drained_after_s(target: Target) -> float:
    """Send one more task of the lowest priority, and return after how long it was done: all others were before it."""
    began = time.monotonic()
    sent = _call(target, "POST", "/run", {"key": "bench-0-1", "priority": "low"})
    while time.monotonic() - began < DRAINED_WITHIN_S:
        if _call(target, "GET", f"/tasks/{sent['task_id']}?wait=20")["state"] == "succeeded":
            return time.monotonic() - began
    raise RuntimeError(f"tasks were not done within {DRAINED_WITHIN_S} s")


def _call(target: Target, method: str, path: str, body: object = None) -> dict[str, str]:
    request = urllib.request.Request(
        target.url + path,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"},
        method=method,
    )
    for attempt in range(10):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                found: dict[str, str] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == 9:
                raise
            time.sleep(1)
    raise AssertionError


def _containers_mb(beginning: str) -> dict[str, float]:
    program = os.environ.get("PODMAN", "podman")
    shown = subprocess.run(
        [program, "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    return {
        name.removeprefix(beginning).strip("-_"): _megabytes(used)
        for name, used, *_ in (line.split() for line in shown.splitlines())
        if name.startswith(beginning) and not name.endswith("-infra")
    }


def _megabytes(text: str) -> float:
    units = {"kB": 1e-3, "MB": 1, "GB": 1e3, "B": 1e-6}
    unit = next(one for one in units if text.endswith(one))
    return float(text.removesuffix(unit)) * units[unit]


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _table(levels: list[Level]) -> str:
    lines = [
        "| connections | served/s | tasks/s | p50 ms | p95 ms | p99 ms | 503 | errors | all done | MB of memory |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in levels:
        parts = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(one.memory_mb.items()))
        lines.append(
            f"| {one.connections:,} | {one.served_per_s:,.0f} | {one.tasks_per_s:,.0f} | {one.p50_ms:,.0f} "
            f"| {one.p95_ms:,.0f} | {one.p99_ms:,.0f} | {one.busy} | {one.errors} | {one.drained_after_s:,.0f} s "
            f"| {sum(one.memory_mb.values()):,.0f}: {parts} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
