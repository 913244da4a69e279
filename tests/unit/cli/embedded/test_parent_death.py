"""Processes that end with the one that started them."""

import signal

import psutil
import pytest

from vestibule.runtime import parent_death

# Starts a child that ties itself to this process, says the child's number, and waits to be killed.
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, *sys.argv[1:]], env={**os.environ, "VESTIBULE_PARENT_PID": str(os.getpid())},
                         stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
child.wait()
"""
TIED = """
import os, signal
from vestibule.runtime import parent_death
{before}
parent_death.die_with_parent(int(os.environ.get("VESTIBULE_PARENT_PID") or 0))
print("tied", flush=True)
while True:
    signal.pause()
"""
LAUNCHER = """
import os, sys
from vestibule.runtime import parent_death
{before}
parent_death.become(os.getppid(), [sys.executable, "-c", {program!r}])
"""
ATTENDED = """
import os, sys
from vestibule.runtime import parent_death
sys.exit(parent_death._attend(os.getppid(), [sys.executable, "-c", {program!r}]))
"""
PROGRAM = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
WITHOUT_KERNEL = "parent_death._ask_kernel = lambda: False"


@pytest.mark.parametrize("before", ["", WITHOUT_KERNEL], ids=["this system", "a system without the signal"])
def test_child_ends_with_its_parent(start_program, until, runs, before):
    """A tied process is gone soon after its parent was killed, on systems with a parent-death signal and without."""
    parent = start_program(PARENT, "-c", TIED.format(before=before))
    child = psutil.Process(int(parent.stdout.readline().split()[0]))
    assert runs(child)
    parent.kill()
    until(lambda: not runs(child))


def test_parent_that_is_gone_already_ends_the_child(start_program):
    """A process whose parent ended before it could be tied ends at once."""
    child = start_program(TIED.format(before=""), VESTIBULE_PARENT_PID="1")
    assert -signal.SIGKILL == child.wait(60)


def test_a_process_that_embedded_mode_did_not_start_is_not_tied(start_program, runs):
    """Without the number of a parent in its environment, a process survives the one that started it."""
    forget = f"import os; del os.environ[{parent_death.PARENT_PID_VARIABLE!r}]"
    parent = start_program(PARENT, "-c", TIED.format(before=forget))
    child_pid, word = parent.stdout.readline().split()
    assert "tied" == word
    parent.kill()
    parent.wait(60)  # the kernel sends the signal of a tied child before this ends
    assert runs(psutil.Process(int(child_pid)))


@pytest.mark.parametrize("before", ["", WITHOUT_KERNEL], ids=["this system", "a system without the signal"])
def test_another_program_ends_with_its_parent(start_program, until, runs, before):
    """The launcher ties the program that it starts, on systems with a parent-death signal and without."""
    parent = start_program(PARENT, "-c", LAUNCHER.format(before=before, program=PROGRAM))
    program_pid = int(parent.stdout.readline().split()[1])
    program = psutil.Process(program_pid)
    assert runs(program)
    parent.kill()
    until(lambda: not runs(program))


def test_launcher_keeps_its_number(start_program):
    """As a program of its own the launcher becomes the other one, under the same process number."""
    launcher = f"import os, sys; sys.argv[1:] = [str(os.getppid()), sys.executable, '-c', {PROGRAM!r}];"
    launcher += f"exec(open({parent_death.__file__!r}).read(), {{'__name__': '__main__'}})"
    parent = start_program(PARENT, "-c", launcher)
    launcher_pid, program_pid = parent.stdout.readline().split()
    assert launcher_pid == program_pid


@pytest.mark.parametrize(
    ("program", "exit_code"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137), (PROGRAM, 143)],
    ids=["ends", "is killed", "is asked to end"],
)
def test_attended_program_ends_its_launcher(start_program, program, exit_code):
    """Where the launcher stays, it passes SIGTERM on and ends as its program does."""
    launcher = start_program(ATTENDED.format(program=program))
    if program == PROGRAM:
        launcher.stdout.readline()
        launcher.terminate()
    assert exit_code == launcher.wait(60)


def test_pool_child_ends_with_its_worker(start_program, until, runs):
    """What `tie_pool_children` returns ties a forked child to the process that asked for it."""
    worker = start_program(
        "import os, signal; from vestibule.runtime.parent_death import tie_pool_children\n"
        "tie = tie_pool_children()\n"
        "if os.fork() == 0:\n"
        "    tie(sender=None, signal=None)\n"
        "    print(os.getpid(), flush=True)\n"
        "while True:\n"
        "    signal.pause()\n"
    )
    child = psutil.Process(int(worker.stdout.readline()))
    assert runs(child)
    worker.kill()
    until(lambda: not runs(child))
