"""What a log line costs, before and now, side by side; and that several processes lose none while the file is rotated.

    python benchmarks/log_lines.py [--lines 5000] [--rounds 5]
    pip install -r benchmarks/requirements-logging.txt      # for the row "before"

Each row logs the line of a request through structlog, to a file and to a stdout that goes nowhere, in a process of its
own. Prints microseconds of CPU an event, of all threads, and how long the one who logs was held up; the median and the
best round. Then four processes log 20,000 lines into files of 100 kB.
"""

import argparse
import collections
import json
import logging
import logging.handlers
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import structlog

from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log
from vestibule.service_kit.settings import ServiceSettings

PROCESSES, LINES = 4, 5_000
NOWHERE = Path("/dev/null")
FIELDS: dict[str, Any] = {
    "method": "POST", "route": "/add", "status": 200, "duration_ms": 1.92, "decision": "clean",
}  # fmt: skip


def now(folder: Path) -> Callable[[], None]:
    """Log as Vestibule does."""
    configure_logging("client", ServiceSettings(data_dir=folder), NOWHERE.open("w"))
    return flush_log


def before(folder: Path) -> Callable[[], None]:
    """Log as it did: each event formatted for each output, and the file locked for each line."""
    from concurrent_log_handler import ConcurrentRotatingFileHandler  # noqa: PLC0415 - not installed with Vestibule

    return _standard_library(ConcurrentRotatingFileHandler(str(folder / "app.log"), maxBytes=50_000_000, backupCount=5))


def rotating(folder: Path) -> Callable[[], None]:
    """Log through the standard library's handler, which is for one process only."""
    return _standard_library(
        logging.handlers.RotatingFileHandler(folder / "app.log", maxBytes=50_000_000, backupCount=5)
    )


def nothing(_folder: Path) -> Callable[[], None]:
    """Log nothing: what the loop itself costs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"), cache_logger_on_first_use=True)
    return lambda: None


def _standard_library(file: Any) -> Callable[[], None]:
    def to_json(event: dict[str, Any], **_options: Any) -> str:
        return orjson.dumps(event, default=str).decode()

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    for handler in (file, logging.StreamHandler(NOWHERE.open("w"))):
        renderer = structlog.processors.JSONRenderer(serializer=to_json)
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            )
        )
        logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel("INFO")
    return lambda: None


ROWS = {"nothing": nothing, "now": now, "before": before, "rotating, one process": rotating}


def measure(name: str, lines: int) -> None:
    """Log so many lines, and print the microseconds of CPU and of time that each took."""
    with tempfile.TemporaryDirectory() as folder:
        flush = ROWS[name](Path(folder))
        ids = {"request_id": "9638cc59bda34a3ca9d5f4bd55eeedb0", "token_id": "development"}
        bind_log_fields(**ids)
        structlog.contextvars.bind_contextvars(**ids)
        log = structlog.get_logger("vestibule.request")
        log.info("request", **FIELDS)
        flush()
        cpu, clock = time.process_time(), time.perf_counter()
        for _ in range(lines):
            log.info("request", **FIELDS)
        held_up = time.perf_counter() - clock
        flush()
        used = time.process_time() - cpu
    print(json.dumps({"cpu_us": used / lines * 1e6, "held_up_us": held_up / lines * 1e6}))


def write(folder: str, name: str) -> None:
    """Log numbered lines into files that are soon full."""
    settings = ServiceSettings(data_dir=Path(folder), log_max_bytes=100_000, log_backups=1_000)
    configure_logging(name, settings, NOWHERE.open("w"))
    log = structlog.get_logger("writer")
    for number in range(LINES):
        log.info("line", number=number, filling="x" * (number % 200))
        if number % 100 == 0:
            time.sleep(0.001)


def _run(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True)


def _count_all() -> None:
    with tempfile.TemporaryDirectory() as folder:
        writers = [_run("--write", folder, f"p{number}") for number in range(PROCESSES)]
        assert all(writer.wait() == 0 for writer in writers)
        files = list((Path(folder) / "logs").glob("app.log*"))
        lines = [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]
    once = collections.Counter((line["service"], line["number"]) for line in lines)
    expected = PROCESSES * LINES
    twice = len(lines) - len(once)
    print(f"{PROCESSES} processes, {len(files)} files: {len(once):,} of {expected:,} lines, {twice} twice")


def main() -> None:
    """Measure every row in turns, then count."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--measure", choices=ROWS, help=argparse.SUPPRESS)
    options.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.measure:
        measure(chosen.measure, chosen.lines)
        return
    if chosen.write:
        write(*chosen.write)
        return
    results: dict[str, list[dict[str, float]]] = collections.defaultdict(list)
    for _ in range(chosen.rounds):
        for name in ROWS:
            with _run("--measure", name, "--lines", str(chosen.lines)) as run:
                output = run.communicate()[0]
            if run.returncode == 0:
                results[name].append(json.loads(output))
    print(f"{'us an event':24} {'CPU: median':>12} {'best':>7} {'held up: median':>17} {'best':>7}")
    for name, rounds in results.items():
        columns = [[one[kind] for one in rounds] for kind in ("cpu_us", "held_up_us")]
        (cpu, cpu_best), (held, held_best) = [(statistics.median(column), min(column)) for column in columns]
        print(f"{name:24} {cpu:12.1f} {cpu_best:7.1f} {held:17.1f} {held_best:7.1f}")
    _count_all()


if __name__ == "__main__":
    main()
