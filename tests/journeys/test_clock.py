"""The clock of the whole system is set by an hour and by a day, forth and back, under load."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faults import at_length
from faults.load import expect_all_kept, load_on

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
HOUR_S = 3600
DAY_S = 24 * HOUR_S
RECURRING = "normalize"


@at_length
@pytest.mark.skipif(not LIBRARIES, reason="needs libfaketime (apt-get install faketime)")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "set_by_s", [HOUR_S, -HOUR_S, DAY_S, -DAY_S], ids=["an hour forth", "an hour back", "a day forth", "a day back"]
)
def test_a_clock_that_is_set_loses_nothing(
    start: Any, tmp_path: Path, wait_until: Callable[..., Any], set_by_s: int
) -> None:
    """Every part sees the clock jump: tasks end once, entries are there, and what recurs goes on, each turn once."""
    clock = tmp_path / "clock"
    clock.write_text("+0s")
    system = start(
        LD_PRELOAD=str(LIBRARIES[0]),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        # The steady clock is not one that people set.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        DONT_FAKE_MONOTONIC="1",
        # Results of before a day are still to be read.
        VESTIBULE_RESULT_EXPIRES_S=str(7 * DAY_S),
    )
    system.http.post("/schedules", json={"text": "Again", "processor": RECURRING, "every_s": 2})

    def recurred() -> dict[str, Any]:
        # Under load it may be a 503 for a moment.
        answer = wait_until(lambda: (got := system.http.get("/schedules")).status_code == 200 and got)
        (one,) = answer.json()["schedules"]
        return dict(one)

    with load_on(system.url) as load:
        wait_until(lambda: recurred()["turns"] >= 2 and len(load.accepted) > 50, 60, "the load")
        clock.write_text(f"{set_by_s:+d}s")
        turns = recurred()["turns"]
        began = time.monotonic()
        wait_until(lambda: recurred()["turns"] >= turns + 3, 60, "three more turns")
        print(f"three turns of 2 s after the clock was set by {set_by_s} s: {time.monotonic() - began:.1f} s")
    expect_all_kept(load, system.http, wait_until)
    last = recurred()
    system.http.delete(f"/schedules/{last['schedule_id']}")
    made = [t for t in system.http.get("/tasks", params={"limit": 1000}).json()["tasks"] if t["processor"] == RECURRING]
    assert len({task["task_id"] for task in made}) == len(made)
    assert len(made) - last["turns"] in (0, 1) or len(load.accepted) > 900
    assert [] == system.reports("ServiceDown")
