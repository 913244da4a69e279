"""The log as a person on call lives with it: one request through all parts, trouble with the disk, and nothing raw."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

DOCUMENTED = set(re.findall(r"`([a-z_]+)`", (Path(__file__).parents[2] / "docs" / "logging.md").read_text()))
FIRST = ["timestamp", "level", "service", "event"]


def _vestibule_logs(system, *options: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "VESTIBULE_DATA_DIR": str(system.data_dir)}
    command = [sys.executable, "-m", "vestibule", "logs", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_one_request_is_shown_through_all_parts(system, wait_until):
    """`vestibule logs --request` has the one line of each service, and what the worker did, in the order of time."""
    system.add("logged", "text")
    request_id = system.http.post("/run", params={"key": "logged"}).headers["x-request-id"]
    wait_until(lambda: system.log_lines(request_id=request_id, event="task_succeeded"), 60, what="the worker's line")
    wait_until(lambda: system.log_lines(request_id=request_id, event="request", route="/run"), what="the door's line")
    wait_until(lambda: system.log_lines(request_id=request_id, service="database"), what="the store's line")

    def shown_whole() -> tuple[list[str], list[str]] | None:
        # The store may still have written a line between the one and the other.
        shown = [_vestibule_logs(system, "--request", request_id, *how) for how in (["--json"], [])]
        assert [0, 0] == [one.returncode for one in shown], shown
        as_json, in_columns = (one.stdout.splitlines() for one in shown)
        return (as_json, in_columns) if len(as_json) == len(in_columns) else None

    as_json, in_columns = wait_until(shown_whole, what="the same lines twice")
    lines = [json.loads(line) for line in as_json]
    assert {request_id} == {line["request_id"] for line in lines}
    assert [line["timestamp"] for line in lines] == sorted(line["timestamp"] for line in lines)
    said = {(line["service"].rstrip("12"), line["event"]) for line in lines}
    assert {("client", "request"), ("database", "request"), ("worker", "task_succeeded")} <= said
    (client_service,) = [line for line in lines if (line["service"], line["event"]) == ("client", "request")]
    (done,) = [line for line in lines if line["event"] == "task_succeeded"]
    assert ("/run", "POST", 202, "development") == (
        client_service["route"],
        client_service["method"],
        client_service["status"],
        client_service["token_id"],
    )
    assert client_service["task_id"] == done["task_id"]
    assert "\x1b" not in "".join(in_columns)


def test_a_request_has_one_line_in_each_service(system, wait_until):
    """It says what was decided and over which kinds, and nothing of what was sent."""
    # Words that no id and no time can hold by chance.
    clean = system.add("log-key-quizzical", "log-value-quizzical").headers["x-request-id"]
    leak = system.add("k", "write to jane.quizzical@example.org").headers["x-request-id"]

    def lines_of(request_id):
        return [line for line in system.log_lines(request_id=request_id) if line["event"] != "alert"]

    wait_until(lambda: len(lines_of(clean)) >= 2 and lines_of(leak), what="the lines")
    assert ["client", "database"] == sorted(line["service"] for line in lines_of(clean))
    (client_service,) = [line for line in lines_of(clean) if line["service"] == "client"]
    assert ("request", "/add", 200, "clean") == (
        client_service["event"],
        client_service["route"],
        client_service["status"],
        client_service["decision"],
    )
    assert client_service["duration_ms"] > 0
    (refused,) = lines_of(leak)
    assert (422, "block", ["EMAIL_ADDRESS"]) == (refused["status"], refused["decision"], refused["entities"])
    assert b"quizzical" not in (system.data_dir / "logs" / "app.log").read_bytes()


def test_every_line_is_as_the_document_says(system):
    """Every line begins with the common fields, and has no field and no event that is not documented."""
    lines = system.log_lines()
    assert len(lines) > 10
    assert [] == [line for line in lines if list(line)[:4] != FIRST]
    assert set() == {line["event"] for line in lines} - DOCUMENTED
    assert set() == {name for line in lines for name in line} - DOCUMENTED


def test_trouble_with_the_disk_stops_nothing_and_is_told_once(start, wait_until):
    """Requests are answered, lost lines are counted, there is one alert; the log goes on to its last line."""
    system = start()
    wait_until(lambda: system.log_lines(service="supervisor"), 60, what="the log of the supervisor")
    folder = system.data_dir / "logs"
    folder.rename(system.data_dir / "logs-before")
    folder.write_text("in the way")
    for number in range(20):
        assert 200 == system.add(f"k{number}", "text").status_code
    wait_until(lambda: system.reports("LogNotWritten"), 60, what="the alert")
    lost = r'vestibule_log_lines_lost_total\{[^}]*"file"[^}]*\} ([1-9]\d*)'
    wait_until(lambda: re.search(lost, httpx.get(f"{system.url}/metrics", timeout=40).text), 60, what="the count")
    folder.unlink()
    wait_until(lambda: system.reports("LogWritten"), 60, what="the end of the alert")
    assert 1 == len(system.reports("LogNotWritten"))
    assert system.log_lines(service="client", event="log_lines_lost", reason="ENOTDIR")

    system.http.post("/messages", json={"text": "good morning"})
    assert 0 == system.stop()
    assert "stopped" == system.log_lines(service="supervisor")[-1]["event"]
    raw = [line for line in system.output.read_text().splitlines() if line and not _is_ours(line)]
    announced = next(index for index, line in enumerate(raw) if "logs" in line and str(system.data_dir) in line)
    assert len(raw) - announced < 12, raw


def _is_ours(line: str) -> bool:
    try:
        return list(json.loads(line))[:4] == FIRST
    except ValueError:
        return False


def test_no_line_of_one_machine_names_it(system):
    """Neither of the parts nor of the program that starts them: all are on this machine."""
    written = system.everything_written()
    assert b'"service":"supervisor"' in written
    assert b'"replica"' not in written
