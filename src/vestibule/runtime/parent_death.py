"""Ends a process with the one that started it, however that one ends.

Run as a program, it does so for parts that are not written in Python: `parent_death.py PARENT_PID PROGRAM ARGUMENT...`
ties itself to the parent and then executes the program. It imports the standard library only, to start in milliseconds.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

# Embedded mode sets it for its parts.
PARENT_PID_VARIABLE = "VESTIBULE_PARENT_PID"
_PR_SET_PDEATHSIG = 1
_POLL_INTERVAL_S = 0.2


def die_with_parent(parent_pid: int) -> None:
    """Let this process be killed when its parent ends; end at once if the parent has already ended.

    Call it early and from the main thread. With 0, nothing is done.
    """
    if not parent_pid:
        return
    if not _ask_kernel():
        threading.Thread(target=_watch_parent, args=(parent_pid,), name="parent-death", daemon=True).start()
    # The parent may have ended before prctl was called: then there is no signal.
    if os.getppid() != parent_pid:
        _end()


def tie_pool_children() -> Callable[..., None]:
    """Return a handler for Celery's `worker_process_init` that ends pool children with this worker's main process.

    Call it in the main process, and connect with `weak=False`: Celery would otherwise drop the handler.
    """
    worker_pid = os.getpid()

    def tie_pool_child(**_: object) -> None:
        die_with_parent(worker_pid)

    return tie_pool_child


def _ask_kernel() -> bool:
    """Set the parent-death signal; return whether this system has one."""
    if sys.platform != "linux":
        return False
    # The setting survives exec. Its parent is the forking thread: a supervisor forks from its main thread.
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)


def _watch_parent(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_POLL_INTERVAL_S)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def become(parent_pid: int, program: list[str]) -> None:
    """Execute `program` in place of this process, to be killed when `parent_pid` ends."""
    if not _ask_kernel():
        sys.exit(_attend(parent_pid, program))
    if os.getppid() != parent_pid:
        _end()
    os.execv(program[0], program)  # noqa: S606  (the caller chose it; no shell)


def _attend(parent_pid: int, program: list[str]) -> int:
    """Run `program` as a child, forward SIGTERM, kill it when `parent_pid` ends, and return its exit code."""
    child_pid = os.fork()
    if child_pid == 0:
        os.execv(program[0], program)  # noqa: S606
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child_pid, signal.SIGTERM))
    while os.getppid() == parent_pid:
        ended_pid, status = os.waitpid(child_pid, os.WNOHANG)
        if ended_pid:
            exit_code = os.waitstatus_to_exitcode(status)
            return exit_code if exit_code >= 0 else 128 - exit_code
        time.sleep(_POLL_INTERVAL_S)
    os.kill(child_pid, signal.SIGKILL)
    return 1


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
