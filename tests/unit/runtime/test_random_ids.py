"""Random ids: their form, no two alike, and those of a forked process are its own."""

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

from vestibule.runtime.random_ids import random_id


def test_ids_are_hexadecimal_digits_and_none_comes_twice() -> None:
    """Also where threads ask at the same time."""
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(random_id, [1, 2] * 2000))
    assert {16, 32} == {len(one) for one in ids}
    assert all(re.fullmatch(r"[0-9a-f]+", one) for one in ids)
    assert 3000 * 2 == len({one[at : at + 16] for one in ids for at in range(0, len(one), 16)})


def test_a_forked_process_makes_other_ids() -> None:
    """The pool of its parent is not its own."""
    random_id()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, "".join(random_id() for _ in range(40)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reader, 4096).decode()
    os.close(reader)
    os.close(writer)
    ours = {random_id() for _ in range(40)}
    assert 80 == len(ours | {theirs[at : at + 16] for at in range(0, len(theirs), 16)})


def test_ids_ask_the_kernel_seldom() -> None:
    """A thousand requests ask a few times, however many ids are left of those before."""
    asked = 0
    ask = os.urandom

    def counted(size: int) -> bytes:
        nonlocal asked
        # Threads of other tests may ask, too.
        asked += threading.current_thread() is threading.main_thread()
        return ask(size)

    os.urandom = counted
    try:
        for _ in range(1000):
            random_id(2)
    finally:
        os.urandom = ask
    assert 0 < asked <= 9
