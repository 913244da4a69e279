"""What a worker does for each task, by the short way and as the libraries do it: CPU time of this process, by turns.

    python -m benchmarks.worker_steps [--rounds 15] [--times 500]

The start of an attempt: its script over a connection of its own, and by the client of Redis. The end: handed to the
parent and sent with the acknowledgement, and written by the process of the pool. The event loop: what Celery and kombu
ask of it while one task comes and goes. Prints medians (least-most) in microseconds of CPU, without that of Redis.
"""

import argparse
import pickle
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery.app.task import Context
from kombu.asynchronous import Hub
from kombu.asynchronous.timer import Timer
from redis import Redis
from redis.exceptions import RedisError

from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import REALM, VestibuleCelery
from vestibule.client_service.queue.event_loop import ThriftyHub
from vestibule.client_service.queue.redis_transport import AckStream, EndOutbox
from vestibule.client_service.queue.result_backend import begin_attempt
from vestibule.client_service.settings import WorkerSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

DAY_S = 86_400
READY_WITHIN_S = 20
RESULT = "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"
# Turns of the event loop for a task, and the pipes to processes of the pool that Celery looks at in each.
TURNS, PIPES = 3, 2


@contextmanager
def worker() -> Iterator[VestibuleCelery]:
    """Run a Redis, and return the application of a worker of it."""
    with tempfile.TemporaryDirectory(prefix="vst-") as name:
        folder = Path(name)
        address = f"{folder}/r.sock"
        command = [find_redis_program(), "--port", "0", "--unixsocket", address, "--save", "", "--dir", name]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            _wait(Redis(unix_socket_path=address))
            create_key_ring(folder / "keyring.json")
            settings = WorkerSettings(data_dir=folder, embedded=True, redis_url=f"unix://{address}")
            yield create_consumer(settings, Cipher(KeyRingFile(folder / "keyring.json"), REALM))
        finally:
            server.terminate()
            server.wait()


def _wait(redis: "Redis") -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            redis.ping()
        except RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def starts(app: VestibuleCelery) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return both ways of the start of an attempt."""
    client, scripts = app.backend.client, app.backend.scripts
    return (
        lambda: begin_attempt(scripts, str(uuid4()), 0, DAY_S, "uppercase"),
        lambda: begin_attempt(client, str(uuid4()), 0, DAY_S, "uppercase"),
    )


def ends(app: VestibuleCelery) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return both ways of the end of a task, with its acknowledgement."""
    outbox = EndOutbox()
    notes = AckStream(app.backend.client.connection_pool, outbox)

    def store(task_id: str) -> None:
        app.backend.store_result(task_id, RESULT, "SUCCESS", request=Context(attempt=1, hostname="worker1@host"))

    def acknowledge(task_id: str) -> None:
        notes.add(("HDEL", "unacked", task_id), ("ZREM", "unacked_index", task_id))
        notes.settle()

    def hand_over() -> None:
        task_id = str(uuid4())
        app.backend.hold_ends()
        store(task_id)
        # As it crosses the pipe to the parent.
        end = pickle.loads(pickle.dumps(app.backend.take_end()))
        outbox.add(end.command(DAY_S))
        acknowledge(task_id)

    def write() -> None:
        task_id = str(uuid4())
        app.backend._holds_ends = False
        store(task_id)
        acknowledge(task_id)

    return hand_over, write


def turns() -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what is asked of the event loop for a task, of ours and of kombu's."""
    pipes = [socket.socketpair() for _ in range(PIPES)]
    read, result = socket.socketpair(), socket.socketpair()

    def of(hub: Any) -> Callable[[], None]:
        hub.add_reader(read[0], print, 1)

        def ask() -> None:
            for _ in range(TURNS):
                hub.add_reader(read[0], print, 1)
                for pipe in pipes:
                    hub.remove_writer(pipe[0].fileno())
            hub.add_reader(result[0], print, 2)

        return ask

    return of(ThriftyHub(Timer())), of(Hub(Timer()))


def compare(name: str, ways: tuple[Callable[[], object], Callable[[], object]], rounds: int, times: int) -> None:
    """Measure two ways by turns, and print what each takes."""
    used: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            began = time.process_time()
            for _ in range(times):
                ways[side]()
            used[side].append((time.process_time() - began) / times * 1e6)
    # The first round warms up.
    short, long = (sorted(one[1:]) for one in used)
    told = [f"{statistics.median(one):6.1f} ({one[0]:.1f}-{one[-1]:.1f})" for one in (short, long)]
    ratio = statistics.median(one / other for one, other in zip(used[0][1:], used[1][1:], strict=True))
    print(f"{name:24} {told[0]:26} {told[1]:26} {ratio:.2f} times", flush=True)


def main() -> None:
    """Print one line for each step."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", type=int, default=500)
    given = parser.parse_args()
    print(f"{'us of CPU a task':24} {'short way':26} {'as the libraries do it':26}")
    with worker() as app:
        compare("start of an attempt", starts(app), given.rounds, given.times)
        compare("end of a task", ends(app), given.rounds, given.times)
    compare("turns of the event loop", turns(), given.rounds, given.times)


if __name__ == "__main__":
    main()
