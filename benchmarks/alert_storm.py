"""A storm of leaks against clean traffic: what is counted, told and lost, and what it does to the answers.

    python benchmarks/alert_storm.py [--leaks 10000] [--tokens 50] [--connections 500] [--rounds 5]

Starts a whole system with a webhook, and sends it rounds of clean values and of leaks by turns, each over all the
connections and with all the tokens; every leak is another address. Prints the percentiles of both and their ratios, of
the median round, then compares record, reports, lines and notifications with what was sent. Ends with 1 where one of
them is not exact. Server and load share the machine, so only the ratios can be compared between machines.
"""

import argparse
import asyncio
import contextlib
import http.server
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from vestibule.service_kit.auth.token_file import create_token

READY_WITHIN_S = 90
COUNTED_WITHIN_S = 90


class Hook(http.server.ThreadingHTTPServer):
    """Takes notifications and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.told: list[dict[str, object]] = []


class HookHandler(http.server.BaseHTTPRequestHandler):
    """Answers every post with 200."""

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(home: Path, hook: Hook) -> Iterator[str]:
    """Run a system that notifies `hook`, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = 12_000 + free.getsockname()[1] % 15_000
    environment = {
        **os.environ,
        "VESTIBULE_ALERT_CHANNELS": '["report_file","report_lines","log","webhook"]',
        "VESTIBULE_ALERT_EGRESS_SCHEMES": '["http"]',
        "VESTIBULE_ALERT_EGRESS_PRIVATE": "true",
        "VESTIBULE_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{hook.server_address[1]}/",
        "VESTIBULE_ALERT_WEBHOOK_SECRET": "benchmark",
    }
    command = [sys.executable, "-m", "vestibule", "up", "--data-dir", str(home / "var"), "--base-port", str(port)]
    output = home / "output"
    with output.open("wb") as sink:
        system = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while b"curl" not in output.read_bytes():
            if system.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(output.read_text()[-2000:])
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        system.send_signal(signal.SIGTERM)
        system.wait(30)


async def send(url: str, bodies: list[dict[str, str]], tokens: list[str], connections: int) -> list[tuple[int, float]]:
    """Post every body to `/add` and return the statuses and times in seconds."""
    waiting = iter(list(enumerate(bodies)))
    answers: list[tuple[int, float]] = []

    async def work(session: aiohttp.ClientSession) -> None:
        for number, body in waiting:
            headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
            began = time.perf_counter()
            async with session.post(f"{url}/add", json=body, headers=headers) as answer:
                await answer.read()
            answers.append((answer.status, time.perf_counter() - began))

    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
        await asyncio.gather(*(work(session) for _ in range(connections)))
    return answers


def percentile_ms(answers: list[tuple[int, float]], share: float) -> float:
    """Return the time in which that share was answered."""
    times = sorted(took_s for _, took_s in answers)
    return times[min(len(times) - 1, int(len(times) * share))] * 1000


async def measure(url: str, tokens: list[str], given: argparse.Namespace) -> dict[str, list[list[tuple[int, float]]]]:
    """Return the answers to the rounds of clean values and of leaks."""
    size = given.leaks // given.rounds
    rounds: dict[str, list[list[tuple[int, float]]]] = {"clean": [], "leaks": []}
    await send(url, [{"key": f"warm-{n}", "value": "a quiet day"} for n in range(given.connections)], tokens, 50)
    for part in range(given.rounds):
        for kind, text in (("clean", "the order {} is ready for the day"), ("leaks", "write to ann.{}@example.org")):
            bodies = [{"key": f"storm-{part}-{n}", "value": text.format(f"x{part}y{n}")} for n in range(size)]
            rounds[kind].append(await send(url, bodies, tokens, given.connections))
    return rounds


def print_times(rounds: dict[str, list[list[tuple[int, float]]]]) -> None:
    """Print percentiles of the median round, and how much longer leaks take."""
    for share in (0.5, 0.99):
        clean, leaks = (
            statistics.median(percentile_ms(one, share) for one in rounds[kind]) for kind in ("clean", "leaks")
        )
        print(f"p{share * 100:.0f}: clean {clean:7.1f} ms, leaks {leaks:7.1f} ms, ratio {leaks / clean:.2f}")


def count(data_dir: Path) -> dict[str, int]:
    """Return how many leaks record, groups, reports and lines hold."""
    with contextlib.closing(sqlite3.connect(data_dir / "alerts.db")) as record:
        (alerts,) = record.execute("SELECT count(*) FROM alerts WHERE type = 'PersonalData'").fetchone()
        (grouped,) = record.execute("SELECT coalesce(sum(count), 0) FROM groups WHERE type = 'PersonalData'").fetchone()
    folder = data_dir / "error_reports"
    lines = sum(path.read_text().count('"PersonalData"') for path in folder.glob("alerts_*.jsonl"))
    return {
        "alerts": alerts,
        "grouped": grouped,
        "reports": sum("_PersonalData_" in path.name for path in folder.iterdir() if path.suffix == ".txt"),
        "lines": lines,
    }


def wait_for_counts(data_dir: Path, hook: Hook, expected: int) -> dict[str, int]:
    """Return the counts when all are as expected and people were told, or as they are after a long time."""
    deadline = time.monotonic() + COUNTED_WITHIN_S
    while True:
        counts = count(data_dir)
        if (set(counts.values()) == {expected} and hook.told) or time.monotonic() > deadline:
            return counts
        time.sleep(0.5)


def main() -> None:
    """Measure, count and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--leaks", type=int, default=10_000)
    ask.add_argument("--tokens", type=int, default=50)
    ask.add_argument("--connections", type=int, default=500)
    ask.add_argument("--rounds", type=int, default=5)
    given = ask.parse_args()
    hook = Hook()
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "var" / "keys" / "tokens.json"
        with running(home, hook) as url:
            tokens = [create_token(file, f"storm {number}", ["add"])[0] for number in range(given.tokens)]
            time.sleep(2)
            rounds = asyncio.run(measure(url, tokens, given))
            print_times(rounds)
            sent = sum(len(one) for one in rounds["leaks"])
            counts = wait_for_counts(home / "var", hook, sent)
    statuses = {kind: sorted({status for one in rounds[kind] for status, _ in one}) for kind in rounds}
    print(f"sent {sent} leaks, statuses {statuses}; counted {counts}; {len(hook.told)} notifications")
    sys.exit(0 if set(counts.values()) == {sent} else 1)


if __name__ == "__main__":
    main()
