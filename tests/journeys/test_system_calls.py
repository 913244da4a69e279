"""What a running service asks of the kernel for an `/add`: counts that hold on any machine, as bounds.

What waiting costs (`futex`, `epoll_pwait`) hangs on how threads happen to take turns, and is left out.
"""

import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ADDS = 200
# Which of them there are hangs on the processor.
WAITING = "futex,?epoll_pwait,?epoll_wait,?restart_syscall,?clock_nanosleep"

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (Debian: apt install strace)")


@contextmanager
def counting(process: int, table: Path, wait_until: Any) -> Iterator["Counter[str]"]:
    """Count the calls of all threads of a process meanwhile, by name; they are there at the end."""
    counts: Counter[str] = Counter()
    command = [
        "strace",
        "-f",
        "-c",
        "-U",
        "name,calls",
        "-e",
        f"trace=!{WAITING}",
        "-o",
        str(table),
        "-p",
        str(process),
    ]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        if not _is_traced(process, tracer, wait_until):
            pytest.skip("this machine lets no process be traced")
        yield counts
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=20)
    for line in table.read_text().splitlines():
        name, *rest = line.split()
        if rest and rest[0].isdigit() and name != "total":
            counts[name] += int(rest[0])


def _is_traced(process: int, tracer: "subprocess.Popen[str]", wait_until: Any) -> bool:
    threads = Path(f"/proc/{process}/task")

    def all_have_a_tracer() -> bool:
        try:
            states = [(thread / "status").read_text() for thread in threads.iterdir()]
        except FileNotFoundError:  # one of them has just ended
            return False
        return all(f"TracerPid:\t{tracer.pid}\n" in state for state in states)

    wait_until(lambda: tracer.poll() is not None or all_have_a_tracer(), what="the tracer")
    return tracer.poll() is None


@pytest.mark.slow
def test_an_add_asks_little_of_the_kernel(start, tmp_path, wait_until):
    """One at a time: a few calls in each service, and one wait for the disk; many at once: a fraction of that.

    On an idle machine it is 13 and 24 calls; a line of the log that is written by itself takes another 6.
    """
    system = start().ask_again()
    (client,) = (process.pid for process in system.processes("serve client"))
    (database,) = (process.pid for process in system.processes("serve database"))

    def add(number: int) -> None:
        assert 200 == system.add(f"k{number % 50}", "the quick brown fox").status_code

    def add_one_by_one() -> None:
        for number in range(ADDS):
            add(number)

    add_one_by_one()
    with counting(client, tmp_path / "client.txt", wait_until) as of_client:
        add_one_by_one()
    with counting(database, tmp_path / "database.txt", wait_until) as of_database:
        add_one_by_one()
    with counting(database, tmp_path / "together.txt", wait_until) as together, ThreadPoolExecutor(32) as pool:
        list(pool.map(add, range(ADDS)))
    assert of_client.total() / ADDS <= 24
    # Among them those of the polls that run beside: tokens, allowances, pauses.
    assert of_database.total() / ADDS <= 38
    assert of_database["fdatasync"] / ADDS <= 1.2
    assert together["fdatasync"] / ADDS <= 0.6
