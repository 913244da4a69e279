"""Vestibule under load, beside the tutorial version and the floors, in one run.

    python -m benchmarks.load [--connections 10,100] [--routes add,run] [--seconds 3] [--rounds 3] [--json FILE]

Needs `wrk` (Debian: `apt install wrk`), which takes part of the same cores: its share is in the JSON. The systems run
side by side and are driven in turn, round after round; a figure is the median of its rounds, with the least and the
most. Only ratios within one run mean anything: `noise` says by how much the same measurement of a floor differed.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

import psutil
from benchmarks.plots import write_plots
from benchmarks.series import Round, Series
from benchmarks.systems import SYSTEMS, TOKEN, System

SCRIPT = Path(__file__).with_name("load.lua")
SETTLE_S = 0.5


def main() -> None:
    """Measure, print, and write JSON where asked."""
    options = _options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt install wrk)")
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        systems = []
        for name in options.systems.split(","):
            folder = Path(home, name)
            folder.mkdir()
            systems.append(stack.enter_context(SYSTEMS[name](folder)))
        for system in systems:
            if "add" in system.routes:
                _store_one(system)
        series = _measure(systems, options)
        memory = {system.name: system.memory_mb() for system in systems}
    _print(series, memory)
    if options.json:
        _write(Path(options.json), series, memory)
    if options.plots:
        write_plots(Path(options.plots), series)


def _write(path: Path, series: list[Series], memory: dict[str, dict[str, float]]) -> None:
    about = {
        "machine": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(),
        "load": os.getloadavg(),
        "noise": _noise(series),
    }
    found = {"about": about, "series": [asdict(one) for one in series], "memory_mb": memory}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Vestibule under load, beside the tutorial version and the floors.")
    parser.add_argument("--systems", default="baseline,vestibule,fastapi,asgi")
    parser.add_argument("--connections", default="10,100")
    parser.add_argument("--routes", default="add,dirty,run")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--plots", help="folder for the plots of docs/performance.md")
    return parser.parse_args()


def _measure(systems: list[System], options: argparse.Namespace) -> list[Series]:
    found: dict[tuple[str, str, int], Series] = {}
    for number in range(options.rounds):
        for route in options.routes.split(","):
            for connections in map(int, options.connections.split(",")):
                for system in systems:
                    if route in system.routes:
                        key = (system.name, route, connections)
                        series = found.setdefault(key, Series(*key))
                        series.rounds.append(_drive(system, route, connections, options.seconds))
                        print(
                            f"round {number + 1}: {route} x{connections} {system.name}: "
                            f"{series.rounds[-1].requests_per_s:,.0f}/s",
                            file=sys.stderr,
                        )
    return list(found.values())


def _drive(system: System, route: str, connections: int, seconds: float) -> Round:
    time.sleep(SETTLE_S)
    before = system.cpu_s()
    command = [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s", "--timeout", "10s",
        "--script", str(SCRIPT), system.url, "--", "add" if route == "dirty" else route, TOKEN,
        "1" if route == "dirty" else "0",
    ]  # fmt: skip
    began, ended_s = time.monotonic(), _ended_cpu_s()
    process = psutil.Popen(command, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(timeout=seconds + 60)
    elapsed_s = time.monotonic() - began
    after = system.cpu_s()
    result = json.loads(
        next(line for line in output.splitlines() if line.startswith("RESULT ")).removeprefix("RESULT ")
    )
    requests = max(1, result["requests"])
    failed = sum(result[f"errors_{kind}"] for kind in ("connect", "read", "timeout"))
    # What is dirty is to be refused: there a 422 is the right answer.
    failed += 0 if route == "dirty" else result["errors_http"]
    return Round(
        requests_per_s=requests / (result["duration_us"] / 1e6),
        p50_ms=result["p50_us"] / 1e3,
        p95_ms=result["p95_us"] / 1e3,
        p99_ms=result["p99_us"] / 1e3,
        errors=failed,
        cpu_us_per_request={part: (after[part] - before.get(part, 0.0)) / requests * 1e6 for part in after},
        wrk_cpu_share=(_ended_cpu_s() - ended_s) / elapsed_s,
    )


def _ended_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _store_one(system: System) -> None:
    request = urllib.request.Request(
        f"{system.url}/add",
        data=b'{"key":"bench-0-1","value":"hello"}',
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


def _print(series: list[Series], memory: dict[str, dict[str, float]]) -> None:
    reference = {(one.route, one.connections): one for one in series if one.system == "baseline"}
    header = f"{'route':9}{'conns':>6} {'system':10}{'requests/s':>12}{'(least-most)':>18}{'p50 ms':>9}{'p99 ms':>9}"
    print(header + f"{'errors':>8}{'x baseline':>20}{'CPU us':>8}")
    for one in sorted(series, key=lambda each: (each.route, each.connections, each.system)):
        print(_row(one, reference.get((one.route, one.connections))))
    for one in series:
        if one.system.startswith("vestibule"):
            print(f"CPU of vestibule, us a request, {one.route} x{one.connections}: {_parts(one)}")
    print(f"noise: the same measurement of a floor differed by up to {_noise(series):.2f}x between rounds")
    print(f"wrk itself took {max(each.wrk_cpu_share for one in series for each in one.rounds):.0%} of a core at most")
    for system, parts in memory.items():
        each = ", ".join(f"{part} {mb:.0f}" for part, mb in parts.items())
        print(f"memory of {system} (USS, MB): {sum(parts.values()):.0f}: {each}")


def _noise(series: list[Series]) -> float:
    floors = [one for one in series if one.system == "asgi"] or series
    return max(one.extent("requests_per_s")[1] / max(1.0, one.extent("requests_per_s")[0]) for one in floors)


def _ratios(one: Series, base: Series) -> list[float]:
    """Return by how much one was faster in each round: both were measured one right after the other."""
    pairs = zip(one.rounds, base.rounds, strict=False)
    return sorted(mine.requests_per_s / theirs.requests_per_s for mine, theirs in pairs if theirs.requests_per_s > 1)


def _row(one: Series, base: Series | None) -> str:
    ratios = _ratios(one, base) if base else []
    ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}-{ratios[-1]:.1f})" if ratios else ""
    least, most = one.extent("requests_per_s")
    cpu = statistics.median(sum(each.cpu_us_per_request.values()) for each in one.rounds)
    return (
        f"{one.route:9}{one.connections:>6} {one.system:10}{one.middle('requests_per_s'):>12,.0f}"
        f"{f'({least:,.0f}-{most:,.0f})':>18}{one.middle('p50_ms'):>9.1f}{one.middle('p99_ms'):>9.1f}"
        f"{sum(each.errors for each in one.rounds):>8}{ratio:>20}{cpu:>8,.0f}"
    )


def _parts(one: Series) -> str:
    names = one.rounds[-1].cpu_us_per_request
    middle = {name: statistics.median(each.cpu_us_per_request.get(name, 0) for each in one.rounds) for name in names}
    return ", ".join(f"{name} {us:,.0f}" for name, us in sorted(middle.items(), key=lambda item: -item[1]) if us > 1)


if __name__ == "__main__":
    main()
