"""How long commands take, beside what they cannot be without: Python, the parser of command lines, the HTTP library.

usage: python benchmarks/cli.py [--rounds 15]

The commands speak to a server of this process, which answers at once, so that only the program is measured. Rounds go
by turns; the table has the best and the median time of each, and the CPU time of the best.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from threading import Thread

ENTRY = {"key": "note", "value": "hello", "version": 1}
TASKS = {
    "tasks": [
        {
            "task_id": f"88e00654-eccf-49fb-841b-{number:012}",
            "state": "succeeded",
            "processor": "uppercase",
            "submitted_at": "2026-01-31T12:00:00Z",
        }
        for number in range(100)
    ]
}
ALERT = {
    "time": "2026-01-31T12:00:00Z",
    **{
        "type": "PersonalData",
        "severity": "warning",
        "description": "EMAIL_ADDRESS in the value.",
        "service": "client",
    },
    **{"entities": ["EMAIL_ADDRESS"], "tenant": "default", "count": 1, "token_id": "t1", "token_name": "orders"},
    **dict.fromkeys(("fingerprint", "request_id", "task_id", "subject", "allow")),
}
ALERTS = {
    "alerts": [{"id": f"{number:016x}", **ALERT} for number in range(100)],
    **{"cursor": None, "stopped_at": None, "replica": "here"},
}
ANSWERS = {
    "/read": ENTRY,
    "/tasks": TASKS,
    "/alerts": ALERTS,
    "/tokens": {"tokens": [], "cursor": None},
    "/health": {"status": "ok"},
}
PROGRAM = [sys.executable, "-c", "from vestibule.cli.entry_point import run; run()"]
FLOORS = {
    "python -c pass": "pass",
    "import click": "import click",
    "import typer": "import typer",
    "import httpx": "import httpx",
}
COMMANDS = {
    "vestibule --version": ["--version"],
    "vestibule --help": ["--help"],
    "vestibule read note": ["read", "note"],
    "vestibule task list (100)": ["task", "list"],
    "vestibule task list --json (100)": ["task", "list", "--json"],
    "vestibule alerts (100)": ["alerts", "--limit", "100"],
    "vestibule token list --url URL": ["token", "list", "--url", "URL"],
}
LIMITS_MS = {
    "vestibule --version": 80,
    "vestibule read note": 150,
    "vestibule task list (100)": 150,
    "vestibule alerts (100)": 150,
    "vestibule token list --url URL": 150,
}


class Service(BaseHTTPRequestHandler):
    """Answers as a client service would."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send the answer of a path."""
        content = json.dumps(ANSWERS[self.path.partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_ignored: object) -> None:
        """Be quiet."""


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return the wall and the CPU time of a command in milliseconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took * 1000, cpu * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server, tempfile.TemporaryDirectory() as folder:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        environment = {**os.environ, "VESTIBULE_URL": url, "XDG_CONFIG_HOME": folder}
        measured = {name: [sys.executable, "-c", code] for name, code in FLOORS.items()}
        words_of = {name: [url if word == "URL" else word for word in words] for name, words in COMMANDS.items()}
        measured |= {name: [*PROGRAM, *words] for name, words in words_of.items()}
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in measured}
        for _ in range(rounds):
            for name, command in measured.items():
                times[name].append(timed(command, environment))
        server.shutdown()
    print(f"{'':34} {'best':>8} {'median':>8} {'CPU':>8}  limit")
    for name, taken in times.items():
        walls = [wall for wall, _ in taken]
        limit = f"{LIMITS_MS[name]} ms" if name in LIMITS_MS else ""
        print(f"{name:34} {min(walls):5.0f} ms {median(walls):5.0f} ms {min(cpu for _, cpu in taken):5.0f} ms  {limit}")


if __name__ == "__main__":
    main()
