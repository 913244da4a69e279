"""Faults under load: whatever dies meanwhile, every accepted task comes to exactly one end, and nothing hangs.

`make test` injects them all into one system, one after the other, under one load. `make faults` gives each a load of
its own and then mixes them for `VESTIBULE_FAULT_SECONDS`, and prints the table of docs/reliability.md.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from redis.exceptions import RedisError

from faults import TASKS, at_length
from faults.injections import CLIENT_SERVICE, FAULTS, Fault, fill_disk
from faults.load import Load, expect_all_kept, load_on

SECONDS = float(os.environ.get("VESTIBULE_FAULT_SECONDS", "60"))

HELD_S = 1.5
HELD_AT_LENGTH_S = 4.0
HEALED_WITHIN_S = 60
# What the recurring task is known by among all others.
RECURRING = "normalize"
# Between two requests of a caller in the short form, which is about what happens, not about how much.
PAUSE_S = 0.03


@pytest.fixture(scope="module")
def hurt(start_for_module: Any) -> Any:
    """One system that all of these faults hit, one after the other."""
    return start_for_module()


def until_accepted(load: Load, more: int, wait_until: Callable[..., Any]) -> None:
    """Wait until the load has got through so many times again: what was broken works."""
    before = len(load.accepted), len(load.written)

    def has_got_through() -> bool:
        return len(load.accepted) >= before[0] + more and len(load.written) > before[1]

    wait_until(has_got_through, HEALED_WITHIN_S, f"{more} accepted tasks")


def all_tasks(http: Any) -> Iterator[dict[str, Any]]:
    """Give all tasks of the ledger."""
    cursor: dict[str, str] = {}
    while True:
        page = http.get("/tasks", params={"limit": 1000, **cursor}).json()
        yield from page["tasks"]
        if "cursor" not in page:
            return
        cursor = {"cursor": page["cursor"]}


def tell(fault: str, load: Load, began: float) -> None:
    """Print a row of the table in docs/reliability.md."""
    done, lost = len(load.accepted), 0  # or the test has failed before
    cut_off = load.cut_off + load.not_connected
    took_s = time.monotonic() - began
    row = (fault, done, done, lost, len(load.written), load.answers[503], cut_off, f"{load.slowest_s:.1f} s")
    print("|", " | ".join(map(str, row)), f"| {took_s:.0f} s |")


# Sixteen faults, each of which is held for a while and has to heal.
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(TASKS), reason="make faults does each at length")
def test_fault_after_fault_loses_nothing(hurt: Any, wait_until: Callable[..., Any]) -> None:
    """Every fault of the matrix in turn under one load: what was accepted is done once, what was written is there.

    A recurring task goes on meanwhile: each of its turns becomes one task.
    """
    recurring = hurt.http.post("/schedules", json={"text": "Again", "processor": RECURRING, "every_s": 1}).json()
    with load_on(hurt.url, pause_s=PAUSE_S) as load:
        for fault in FAULTS:
            until_accepted(load, 5, wait_until)
            cut_off_before = load.cut_off + load.not_connected
            with fault.inject(hurt):
                time.sleep(HELD_S)
            until_accepted(load, 1, wait_until)
            if not fault.may_cut_off:
                assert cut_off_before == load.cut_off + load.not_connected, fault.name
    expect_all_kept(load, hurt.http, wait_until)
    assert hurt.process.poll() is None
    (recurred,) = hurt.http.get("/schedules").json()["schedules"]
    hurt.http.delete(f"/schedules/{recurring['schedule_id']}")
    made = [task for task in all_tasks(hurt.http) if task["processor"] == RECURRING]
    # One may have been made since the schedule was looked at.
    assert len(made) - recurred["turns"] in (0, 1)
    assert recurred["turns"] > len(FAULTS) / 2
    wait_until(lambda: {"succeeded"} == {t["state"] for t in all_tasks(hurt.http) if t["processor"] == RECURRING})


def test_a_full_disk_is_told_once_and_lets_nothing_in(hurt: Any, wait_until: Callable[..., Any]) -> None:
    """The door can write neither log nor records: clean requests go on, a leak is refused, people hear once."""
    before = {kind: len(hurt.reports(kind)) for kind in ("LogNotWritten", "LogWritten", "PersonalData")}

    def new(kind: str) -> int:
        return len(hurt.reports(kind)) - before[kind]

    with fill_disk(CLIENT_SERVICE, hurt):
        wait_until(lambda: hurt.add("on a full disk", "text").status_code == 200 and new("LogNotWritten"))
        assert 422 == hurt.add("leak", "write to jane.roe.4711@example.org").status_code
        assert 202 == hurt.http.post("/messages", json={"text": "on a full disk"}).status_code
    wait_until(lambda: hurt.add("healed", "text").status_code == 200 and new("LogWritten"))
    assert (1, 1, 1) == tuple(map(new, before))
    lost = [line for line in hurt.http.get("/metrics").text.splitlines() if "log_lines_lost_total{" in line]
    assert any(float(line.rsplit(" ", 1)[1]) > 0 for line in lost)


@at_length
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_accepted_task_is_lost(hurt: Any, wait_until: Callable[..., Any], fault: Fault) -> None:
    """One fault in the middle of a load: every task that was answered 202 is done, with its own result."""
    began = time.monotonic()
    with load_on(hurt.url) as load:
        until_accepted(load, TASKS // 2, wait_until)
        with fault.inject(hurt):
            time.sleep(HELD_AT_LENGTH_S)
        until_accepted(load, TASKS // 2, wait_until)
    expect_all_kept(load, hurt.http, wait_until)
    tell(fault.name, load, began)


@at_length
@pytest.mark.timeout(1800)
def test_mixed_faults_lose_nothing(hurt: Any, wait_until: Callable[..., Any]) -> None:
    """One fault after the other, at random, for some time: still every accepted task is done once."""
    chance = random.Random(7)
    began = time.monotonic()
    with load_on(hurt.url) as load:
        while time.monotonic() < began + SECONDS:
            # It may be down already from the fault before.
            with suppress(RedisError, OSError, StopIteration, psutil.Error), chance.choice(FAULTS).inject(hurt):
                time.sleep(2)
        until_accepted(load, TASKS, wait_until)
    expect_all_kept(load, hurt.http, wait_until)
    tell(f"one of these at random every 2 s, for {SECONDS:.0f} s", load, began)
