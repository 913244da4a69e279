"""How long a worker that was asked to end may take, and how it learns that it was."""

import signal
import subprocess
import sys
from typing import Any

from vestibule.worker.shutdown import ENDS_WITHIN_S, IDLE_ENDS_WITHIN_S, is_due


def test_a_worker_with_tasks_gets_more_time_than_an_idle_one() -> None:
    """Both end before a container is killed, which is after 40 seconds."""
    assert [False, True] == [is_due(waited_s, held=0) for waited_s in (IDLE_ENDS_WITHIN_S - 0.1, IDLE_ENDS_WITHIN_S)]
    assert [False, True] == [is_due(waited_s, held=1) for waited_s in (ENDS_WITHIN_S - 0.1, ENDS_WITHIN_S)]
    assert IDLE_ENDS_WITHIN_S < 5 < ENDS_WITHIN_S < 30


PROGRAM = """
import ctypes, os, signal, time
from vestibule.worker.shutdown import on_sigterm

signal.signal(signal.SIGTERM, lambda *_: None)
on_sigterm(lambda: os._exit(7))
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
    # A signal that arrives while Python forks is lost.
    os.write(writing, b".")
    time.sleep(60)
    os._exit(3)
os.read(reading, 1)
os.kill(child, signal.SIGTERM)
assert os.waitpid(child, 0)[1] >> 8 == 1
print("ready", flush=True)
# Locked twice: a call that no signal ends.
lock, mutex = ctypes.CDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(256)
lock(mutex)
lock(mutex)
"""


def test_sigterm_is_noticed_within_a_call_that_no_signal_ends(wait_until: Any) -> None:
    """As the lookup of the name of a Redis that has gone; SIGTERM for a process of the pool is another matter."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert "ready\n" == process.stdout.readline()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, 10, "its end")
    assert 7 == process.returncode
