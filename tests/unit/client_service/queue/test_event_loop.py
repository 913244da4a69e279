"""The event loop of a worker asks the kernel for nothing that is so already, and misses no file that is another."""

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.asynchronous.timer import Timer

from vestibule.client_service.queue.event_loop import ThriftyHub
from vestibule.client_service.queue.redis_transport import QueueConnection


class CountingPoller:
    """Counts what the kernel is asked."""

    def __init__(self, poller: Any) -> None:
        self._poller = poller
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("register", "unregister"):
            self.asked.append(name)
        return getattr(self._poller, name)


@pytest.fixture
def hub() -> Iterator[Any]:
    """An event loop whose questions are counted."""
    hub: Any = ThriftyHub(Timer())  # type: ignore[no-untyped-call]
    hub.poller = CountingPoller(hub.poller)
    yield hub
    hub.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_reader_is_added_once(hub: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    """Until its callback or its arguments change, or it was removed."""
    heard: list[str] = []
    pair[1].send(b"x")
    for _ in range(3):
        hub.add_reader(pair[0], heard.append, "first")
    assert ["register"] == hub.poller.asked
    hub.run_once()
    hub.add_reader(pair[0], heard.append, "second")
    hub.run_once()
    assert ["first", "second"] == heard
    hub.remove_reader(pair[0])
    before = len(hub.poller.asked)
    hub.add_reader(pair[0], heard.append, "second")
    assert before + 1 == len(hub.poller.asked)
    hub.run_once()
    assert "second" == heard[-1]


def test_a_file_that_is_not_written_to_needs_no_removal(hub: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    """One that is waited for is removed, and is read from still."""
    heard: list[str] = []
    hub.remove_writer(pair[0])
    hub.add_reader(pair[1], heard.append, "read")
    hub.remove_writer(pair[1])
    assert ["register"] == hub.poller.asked
    hub.add_writer(pair[0], heard.append, "written")
    hub.run_once()
    hub.remove_writer(pair[0].fileno())
    os.write(pair[0].fileno(), b"x")
    hub.run_once()
    assert ["written", "read"] == heard


def test_workers_use_it() -> None:
    """Celery asks the connection for the loop that it needs, whatever the broker."""
    for url in ("redis://localhost", "amqp://localhost"):
        assert ThriftyHub is QueueConnection(url).requires_hub
