"""`/presidio/analyze` beside Presidio's own analyzer: the same texts to both by turns, pattern recognizers alone.

usage: make test-presidio once, then python -m benchmarks.presidio [--seconds 5] [--rounds 3]
"""

import argparse
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
THEIR_PYTHON = ROOT / ".tools" / "presidio" / "bin" / "python"
BATCH = 500
# What both find, and text around it.
VALUES = (
    *("jane.roe@example.org", "4111 1111 1111 1111", "DE89370400440532013000", "192.168.1.17", "+1 212 555 2368"),
    *("ssn 536-22-1234", "order 4711 was sent", "nothing is in this one", "the meeting is at ten", "version 2.14.0"),
)
FRAMES = (
    "please write to {} about it",
    "user said: {}",
    "{}",
    "status=ok value={} took 12 ms",
    "I think that {} is right",
)
_SENT = re.compile(r"Requests/sec:\s+([0-9.]+)")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")


def main() -> None:
    """Print requests and texts a second of both, their CPU time for each, and the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    dice = random.Random(64)
    texts = [dice.choice(FRAMES).format(dice.choice(VALUES)) for _ in range(BATCH)]
    with tempfile.TemporaryDirectory() as folder, _ours(Path(folder)) as ours, _theirs() as theirs:
        scripts = {
            "single": _script(Path(folder) / "single.lua", texts),
            "batch": _script(Path(folder) / "batch.lua", [texts]),
        }
        for kind, script in scripts.items():
            connections = 16 if kind == "single" else 2
            rates: dict[str, list[float]] = {"vestibule": [], "presidio": []}
            costs: dict[str, list[float]] = {"vestibule": [], "presidio": []}
            for _ in range(options.rounds):
                for name, (address, pid) in {"vestibule": ours, "presidio": theirs}.items():
                    began = _cpu_s(pid)
                    rates[name].append(_drive(address, script, connections, options.seconds))
                    costs[name].append((_cpu_s(pid) - began) / (rates[name][-1] * options.seconds))
            times = BATCH if kind == "batch" else 1
            medians = {name: statistics.median(some) * times for name, some in rates.items()}
            what = "texts/s in batches of 500" if kind == "batch" else "requests/s of one text"
            shown = ", ".join(f"{name} {rate:,.0f}" for name, rate in medians.items())
            print(f"{what}: {shown}; {medians['vestibule'] / medians['presidio']:.1f} times")
            each = {name: statistics.median(some) / times * 1e6 for name, some in costs.items()}
            shown = ", ".join(f"{name} {cost:,.0f} us" for name, cost in each.items())
            print(f"  CPU time of all processes for each: {shown}; {each['presidio'] / each['vestibule']:.1f} times")


def _script(path: Path, texts: list) -> Path:
    bodies = [json.dumps({"text": text, "language": "en", "score_threshold": 0.4}) for text in texts]
    listed = ",\n".join(f"[==[{body}]==]" for body in bodies)
    path.write_text(f"""
local bodies = {{{listed}}}
local number = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer SECRET_TOKEN"
function request()
    number = number % #bodies + 1
    return wrk.format(nil, nil, nil, bodies[number])
end
""")
    return path


def _drive(address: str, script: Path, connections: int, seconds: int) -> float:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script), address]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if refused := _REFUSED.search(printed):
        raise RuntimeError(f"{refused[1]} requests were refused by {address}")
    return float(_SENT.findall(printed)[0])


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process and all below it have used so far."""
    program = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (program, *program.children(recursive=True)))


@contextmanager
def _ours(folder: Path) -> Iterator[tuple[str, int]]:
    port = _free_port()
    command = ["vestibule", "up", "--data-dir", str(folder / "var"), "--base-port", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/readyz") as pid:
        yield f"http://127.0.0.1:{port}/presidio/analyze", pid


@contextmanager
def _theirs() -> Iterator[tuple[str, int]]:
    port = _free_port()
    command = [str(THEIR_PYTHON), "-m", "gunicorn", "-w", "1", "-b", f"127.0.0.1:{port}", "presidio_server:app"]
    with _running([*command, "--chdir", str(ROOT / "benchmarks")], f"http://127.0.0.1:{port}/nothing") as pid:
        yield f"http://127.0.0.1:{port}/analyze", pid


@contextmanager
def _running(command: list[str], probe: str) -> Iterator[int]:
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not _answers(probe):
            if time.monotonic() > until or started.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.2)
        yield started.pid
    finally:
        os.kill(started.pid, signal.SIGTERM)
        started.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code in (200, 404)
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    while True:
        port = random.randrange(20_000, 30_000)
        try:
            for offset in range(6):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port


if __name__ == "__main__":
    main()
