"""Decisions are appended whole, by several processes at once, and replayed under another policy."""

import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from vestibule.contracts.decisions import CleanCount, DecisionRecord, RecordedFinding
from vestibule.policy import Action
from vestibule.policy.decision_log import DecisionLog, read_decisions, remove_older
from vestibule.policy.evaluation import replay
from vestibule.runtime.writer_thread import CAPACITY, MAX_BATCH

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
WRITE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from vestibule.contracts.decisions import DecisionRecord, RecordedFinding
from vestibule.policy.decision_log import DecisionLog
log = DecisionLog(Path(sys.argv[1]), 7, lambda error, lines: sys.exit(3))
log.start()
for number in range(500):
    decision_id = f"{int(sys.argv[2]):08x}{number:08x}"
    log.record(DecisionRecord(time=datetime.now(UTC), decision_id=decision_id, route="/add", policy="p", detectors="d",
        findings=[RecordedFinding(entity="X" * 90, score=1, field="value", action="block")]))
    log.clean["default", "/add", "p", "d"] += 1
log.close()
"""


def _record(entity: str, action: str, **more: Any) -> DecisionRecord:
    finding = RecordedFinding(
        entity=entity, score=more.pop("score", 0.9), field=more.pop("field", "value"), action=Action(action)
    )
    given = {
        "time": datetime.now(UTC),
        "decision_id": "0" * 16,
        "route": "/add",
        "policy": "p",
        "detectors": "v",
        **more,
    }
    return DecisionRecord(**given, findings=[finding])


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    """Nothing is lost, torn or counted twice."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), str(n)]) for n in range(4)]
    assert [0] * 4 == [writer.wait(60) for writer in writers]
    records = list(read_decisions(tmp_path, LONG_AGO))
    assert 2000 == len({record.decision_id for record in records if isinstance(record, DecisionRecord)})
    assert 2000 == sum(record.clean for record in records if isinstance(record, CleanCount))
    lines = b"".join(path.read_bytes() for path in tmp_path.iterdir()).splitlines()
    assert len(records) == len(lines)


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The requests go on; who reads the log learns how many lines are missing."""
    (tmp_path / "decisions").write_text("a file where the folder should be")
    told: list[int] = []
    log = DecisionLog(tmp_path / "decisions", 7, lambda _error, lines: told.append(lines))
    log.start()
    log.record(_record("PASSWORD", "block"))
    log.close()
    assert [1] == told


def test_a_disk_that_hangs_blocks_nobody_and_every_dropped_record_is_logged(tmp_path: Path, wait_until: Any) -> None:
    """The queue is bounded; what does not fit is counted in the log, and the rest is written later."""
    today = datetime.now(UTC).date()
    for day in (today, today + timedelta(days=1)):
        os.mkfifo(tmp_path / f"{day}.jsonl")  # its opening blocks until somebody reads
    log = DecisionLog(tmp_path, 7, lambda _error, _lines: None)
    with structlog.testing.capture_logs() as events:
        for _ in range(CAPACITY + MAX_BATCH + 5):
            log.record(_record("PASSWORD", "block"))
        reader = os.open(tmp_path / f"{datetime.now(UTC).date()}.jsonl", os.O_RDWR | os.O_NONBLOCK)
        written = 0

        def read() -> bool:
            nonlocal written
            with suppress(BlockingIOError):
                written += os.read(reader, 1 << 20).count(b"\n")
            return written + sum(event.get("dropped", 0) for event in events) == CAPACITY + MAX_BATCH + 5

        wait_until(read, what="every record, written or dropped")
    assert written >= CAPACITY
    assert {("writer_queue_full", "decision-log")} == {(event["event"], event["writer"]) for event in events}
    os.close(reader)


def test_old_days_go_and_other_files_stay(tmp_path: Path) -> None:
    """Only files of days before the first that is kept are removed."""
    for name in ("2026-01-01.jsonl", "2026-01-02.jsonl", "2026-01-03.jsonl", "notes.txt", "2026-01-01.jsonl.bak"):
        (tmp_path / name).touch()
    remove_older(tmp_path, date(2026, 1, 2))
    assert {"2026-01-02.jsonl", "2026-01-03.jsonl", "notes.txt", "2026-01-01.jsonl.bak"} == {
        path.name for path in tmp_path.iterdir()
    }


def test_reading_passes_over_what_is_too_old_or_no_record(tmp_path: Path) -> None:
    """A torn or foreign line hides no other; what was decided before the moment is not of interest."""
    now = datetime.now(UTC)
    old = _record("PASSWORD", "block", time=now - timedelta(hours=3))
    new = _record("PASSWORD", "block", time=now)
    lines = [old.model_dump_json(), "{", "[1]", '"x"', '{"clean": "many"}', new.model_dump_json()]
    (tmp_path / f"{now.date()}.jsonl").write_text("\n".join(lines) + "\n")
    assert [new] == list(read_decisions(tmp_path, now - timedelta(minutes=1)))
    assert [] == list(read_decisions(tmp_path / "nowhere", now))


def test_a_replay_compares_what_was_with_what_would_be(read_policy: Any) -> None:
    """By entity, score, token, route, key prefix and field; a dry run's intent counts as done."""
    policy = read_policy(
        """
        default = "redact"
        [entities]
        PASSWORD = "block"
        API_KEY = { action = "hash", threshold = 0.8 }
        [[rules]]
        tokens = ["support"]
        entities = ["EMAIL_ADDRESS"]
        action = "alert"
        [[rules]]
        key_prefixes = ["notes/"]
        entities = ["US_SSN"]
        action = "mask"
        """
    )
    dry = _record("PASSWORD", "alert")
    dry.findings[0].would_have = Action.HASH
    records = [
        _record("EMAIL_ADDRESS", "block"),
        _record("EMAIL_ADDRESS", "block", token_id="t-1"),
        _record("EMAIL_ADDRESS", "block", field="key"),
        _record("API_KEY", "block", score=0.6),
        _record("US_SSN", "block", key_prefix="notes/old/"),
        dry,
        CleanCount(time=datetime.now(UTC), route="/add", clean=40, policy="p", detectors="d"),
    ]
    result = replay(records, policy, {"t-1": "support"})
    assert (6, 40, 5, 2) == (result.requests, result.clean, result.blocked_now, result.blocked_then)
    then = {entity: dict(one.then) for entity, one in result.by_entity.items()}
    assert {
        "EMAIL_ADDRESS": {"redact": 1, "alert": 1, "block": 1},
        "API_KEY": {"ignore": 1},
        "US_SSN": {"mask": 1},
        "PASSWORD": {"block": 1},
    } == then
    assert {"hash": 1} == dict(result.by_entity["PASSWORD"].now)
