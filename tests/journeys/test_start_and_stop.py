"""Starting and stopping the whole system: side by side, again, in time, and leaving nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from faults.load import expect_all_kept, load_on
from servers import ports
from vestibule.cli.embedded.launcher import can_fork


@pytest.fixture(scope="module")
def other(start_for_module):
    """A second system, beside the one that all tests share."""
    return start_for_module(VESTIBULE_CONSOLE="on").ask_again()


def test_two_instances_run_side_by_side(system, other):
    """Different data directories and ports keep them apart."""
    assert 200 == other.add("only-here", "text").status_code
    assert 404 == system.http.get("/read", params={"key": "only-here"}).status_code


def _is_zombie(process):
    return process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(not can_fork(), reason="this system cannot fork parts")
def test_the_end_of_the_fork_server_ends_nothing_else(other, wait_until):
    """Parts run on, and one that ends is started again."""
    parts = set(other.processes("vestibule serve"))
    (fork_server,) = other.processes("fork server")
    fork_server.kill()
    other.processes("vestibule serve business-logic")[0].kill()
    wait_until(lambda: other.log_lines(event="part_restarted", part="business_logic"), what="its restart")
    kept = {" ".join(part.cmdline()).strip() for part in parts if part.is_running() and not _is_zombie(part)}
    assert {f"vestibule serve {name}" for name in ("client", "database", "scheduler", "console")} == kept
    assert 200 == other.add("still-served", "text").status_code


def test_ctrl_c_ends_everything_in_time(system, other):
    """It ends every process within 10 seconds with exit code 0, and none of another instance."""
    family = psutil.Process(other.process.pid).children(recursive=True)
    assert len(family) >= 7
    began = time.monotonic()
    assert 0 == other.stop(signal.SIGINT)
    assert time.monotonic() - began < 10
    assert [] == psutil.wait_procs(family, timeout=5)[1]
    assert 200 == system.add("still-here", "text").status_code


# It starts a system three times.
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_when_the_system_ends_under_load(start, wait_until):
    """SIGTERM answers all that is under way, kill -9 of the supervisor leaves no orphan, and what was accepted is done.

    At SIGTERM /readyz says 503 before the door closes, and until it does everybody is served.
    """
    system = start(VESTIBULE_SHUTDOWN_DRAIN_S="1")
    with load_on(system.url) as stopped:
        wait_until(lambda: len(stopped.accepted) >= 50, what="the load")
        system.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_leaving(system), what="the word that it stops")
        assert 202 == system.http.post("/messages", json={"text": "still served"}).status_code
        assert 0 == system.stop()
    # At most one was between the queue of the system and the closing door; nobody had begun to answer it.
    assert (True, True) == (stopped.cut_off <= 1, stopped.not_connected > 0)

    system = start()
    expect_all_kept(stopped, system.http, wait_until)
    family = psutil.Process(system.process.pid).children(recursive=True)
    with load_on(system.url) as killed:
        wait_until(lambda: len(killed.accepted) >= 50, what="the load")
        system.process.send_signal(signal.SIGKILL)
        system.process.wait(30)
        assert [] == psutil.wait_procs(family, timeout=30)[1]

    expect_all_kept(killed, start().http, wait_until)


@pytest.mark.slow
def test_a_damaged_queue_costs_no_task(start, wait_until):
    """Files of Redis with junk in them are set aside with an alert; the ledger has the tasks, and they are done."""
    system = start().ask_again()
    for worker in system.processes("vestibule worker"):
        worker.suspend()
    sent = [system.http.post("/messages", json={"text": f"one of {n}"}).json()["task_id"] for n in range(20)]
    (path,) = (system.data_dir / "redis").rglob("*.incr.aof")
    wait_until(lambda: path.stat().st_size > 1_000, what="the tasks in the file of the queue")
    family = psutil.Process(system.process.pid).children(recursive=True)
    system.process.kill()
    assert [] == psutil.wait_procs(family, timeout=30)[1]
    content = path.read_bytes()
    path.write_bytes(content[:500] + b"junk" * 10 + content[540:])

    again = start().ask_again()
    (kept,) = (again.data_dir / "redis").rglob("damaged-*/*/*.incr.aof")
    assert b"junk" * 10 in kept.read_bytes()
    assert 1 == len(again.reports("QueueFilesDamaged"))
    wait_until(lambda: again.log_lines(event="part_repaired", part="redis"), what="the line of the repair")
    states = [again.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()["state"] for task_id in sent]
    assert ["succeeded"] * len(sent) == states


@pytest.fixture
def used(start):
    """The data directory of a system that has stopped."""
    system = start()
    assert 200 == system.add("a", "text").status_code
    assert 0 == system.stop()
    return system.data_dir


def test_a_lost_database_ends_the_start(used):
    """Nothing runs over an empty one; the message has the file and the way out, and that way leads to a start."""
    for path in used.glob("vestibule.db*"):
        path.unlink()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    command = [
        sys.executable,
        "-m",
        "vestibule",
        "up",
        "--base-port",
        str(ports.free_row(5)[0]),
        "--data-dir",
        str(used),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=variables)
    assert 78 == ended.returncode
    assert re.search(r"vestibule\.db is missing, and it had data; .* `vestibule db adopt`", ended.stdout + ended.stderr)
    assert not (used / "vestibule.db").exists()


def is_leaving(system):
    """Say whether /readyz tells that it stops; of a part that is slow under load it may tell before."""
    answer = httpx.get(f"{system.url}/readyz", timeout=40, trust_env=False)
    expected = "Service is shutting down; send requests to another instance."
    return answer.status_code == 503 and answer.json()["detail"] == expected


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash")
def test_the_printed_curl_lines_work_as_printed(system):
    """The lines of the announcement with curl, put into a shell, do what they say."""
    text = system.output.read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]
    assert 3 == len(lines)
    answers = [
        subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30).stdout for line in lines
    ]
    assert '"status":"written"' in answers[0]
    assert re.search(r'"task_id":"[0-9a-f-]{36}"', answers[1])
    assert answers[2].strip()
