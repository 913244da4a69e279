"""The decision log, one JSON line each, one file a day: entities, scores, actions and keyed fingerprints, no text.

Lines are appended whole, by any number of processes: each is one write at the end of the file. A separate thread
writes, so that a request does not wait for the disk.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
from pydantic import ValidationError

from vestibule.contracts.decisions import Action, CleanCount, DecisionRecord
from vestibule.runtime.writer_thread import WriterThread

CLEAN_EVERY_S = 60.0
# A decision waits this long for others: a file is opened for each write.
COLLECT_S = 0.01
APPEND_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
# Gets the error and the number of lines that could not be written.
FailureHandler = Callable[[OSError, int], None]
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})\.jsonl")


class DecisionLog:
    """Appends decisions to `YYYY-MM-DD.jsonl` in UTC, and deletes files after their retention time."""

    def __init__(self, directory: Path, keep_days: int, on_failure: FailureHandler) -> None:
        self._directory = directory
        self._keep_days = keep_days
        self._on_failure = on_failure
        # Requests without findings, by tenant, route and the versions of policy and detectors.
        # Only the one thread that decides adds to these, and only the writer subtracts what it has written before.
        self.clean: Counter[tuple[str, str, str, str]] = Counter()
        # Decisions that were recorded, by tenant and strictest action. Only the writer adds to these.
        self.recorded: Counter[tuple[str, Action | None]] = Counter()
        self._written: dict[tuple[str, str, str, str], int] = {}
        self._count_at = time.monotonic() + CLEAN_EVERY_S
        self._swept: date | None = None
        self._writer: WriterThread[DecisionRecord] = WriterThread(
            "decision-log",
            self._write,
            collect_s=COLLECT_S,
            idle_s=lambda: max(0.0, self._count_at - time.monotonic()),
            on_close=lambda: self._append(self._clean_lines()),
        )

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def close(self) -> None:
        """Write what is left, and stop."""
        self._writer.close()

    def record(self, record: DecisionRecord) -> None:
        """Have `record` appended soon; if the disk hangs and the queue is full, it is dropped and logged."""
        self._writer.put(record)

    def _write(self, records: list[DecisionRecord]) -> None:
        lines = [record.model_dump_json(exclude_none=True).encode() for record in records]
        self.recorded.update((record.tenant, record.action) for record in records)
        if time.monotonic() >= self._count_at:
            self._count_at = time.monotonic() + CLEAN_EVERY_S
            lines += self._clean_lines()
        self._append(lines)

    def _clean_lines(self) -> list[bytes]:
        now = datetime.now(UTC)
        lines = []
        for name, total in dict(self.clean).items():
            count = total - self._written.get(name, 0)
            if count:
                tenant, route, policy, detectors = name
                counted = CleanCount.model_construct(
                    time=now, tenant=tenant, route=route, clean=count, policy=policy, detectors=detectors
                )
                lines.append(counted.model_dump_json().encode())
            self._written[name] = total
        return lines

    def _append(self, lines: list[bytes]) -> None:
        if not lines:
            return
        today = datetime.now(UTC).date()
        try:
            descriptor = self._open(f"{today}.jsonl")
            try:
                os.write(descriptor, b"\n".join(lines) + b"\n")
            finally:
                os.close(descriptor)
            if self._swept != today:
                self._swept = today
                remove_older(self._directory, today - timedelta(days=self._keep_days))
        except OSError as error:
            self._on_failure(error, len(lines))

    def _open(self, name: str) -> int:
        path = f"{self._directory}/{name}"
        try:
            return os.open(path, APPEND_FLAGS, 0o600)
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, APPEND_FLAGS, 0o600)


def remove_older(directory: Path, oldest: date) -> None:
    """Remove the files of the days before `oldest`."""
    for path, day in decision_files(directory):
        if day < oldest:
            with suppress(FileNotFoundError):
                path.unlink()


def read_decisions(directory: Path, since: datetime) -> Iterator[DecisionRecord | CleanCount]:
    """Yield the records since then, oldest day first; invalid lines are skipped."""
    for path, day in decision_files(directory):
        if day < since.astimezone(UTC).date():
            continue
        with path.open("rb") as lines:
            for line in lines:
                record = parse_line(line)
                if record is not None and record.time >= since:
                    yield record


def parse_line(line: bytes) -> DecisionRecord | CleanCount | None:
    """Return what a line records; None if it is invalid."""
    try:
        given = orjson.loads(line)
        kind = CleanCount if "clean" in given else DecisionRecord
        return kind.model_validate(given)
    except (ValueError, TypeError, ValidationError):
        return None


def decision_files(directory: Path) -> list[tuple[Path, date]]:
    """Return the files of a decision log with their days, the oldest first."""
    if not directory.is_dir():
        return []
    named = [(path, _NAME.fullmatch(path.name)) for path in directory.iterdir()]
    return sorted((path, date.fromisoformat(match.group(1))) for path, match in named if match)
