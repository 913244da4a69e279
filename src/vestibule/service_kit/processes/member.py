"""One of the processes of a service: takes the connections that the parent hands over."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from vestibule.service_kit.processes.siblings import Siblings
from vestibule.service_kit.processes.table import BEAT_EVERY_S, ProcessTable

# What the parent sends: a connection, which comes with its descriptor, or that all processes begin to shut down. It
# closes the channel when no connection will come.
CONNECTION, DRAIN = b"c", b"d"
# So many connections are taken before requests have a turn.
_MOST_AT_ONCE = 64
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

MakeProtocol = Callable[[], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class Signals:
    """What a member calls: when all processes begin to shut down, and when no further connection will come."""

    on_drain: Callable[[], None]
    on_end: Callable[[], None]


class Member:
    """A process among those of a service. `replaces` is how its predecessor ended, None for the first."""

    def __init__(
        self, number: int, table: ProcessTable, siblings: Siblings, channel: socket.socket, replaces: str | None
    ) -> None:
        """Take the number of the process, from 0, and the channel from the parent."""
        self._index = number
        self.table = table
        self.siblings = siblings
        self.replaces = replaces
        self._channel = channel
        self._connecting: set[asyncio.Task[None]] = set()
        self._is_open = True

    @property
    def name(self) -> int:
        """The number of the process as people count, from 1."""
        return self._index + 1

    def note_built(self) -> None:
        """Say that the service could be built."""
        self.table.note_built(self._index)

    def count_closed(self) -> None:
        """Count a connection that has ended."""
        self.table.count_closed(self._index)

    def begin(self, make_protocol: MakeProtocol, signals: Signals) -> None:
        """Take connections from now on. Call it on the event loop."""
        self._make_protocol, self._signals = make_protocol, signals
        self._loop = asyncio.get_running_loop()
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel, self._receive)
        self._beat()

    def leave(self) -> None:
        """Let the parent hand over no further connection. What it has sent is still taken. Safe in a signal handler."""
        # The parent's next attempt fails, and it takes another process.
        self._channel.shutdown(socket.SHUT_RD)

    def _beat(self) -> None:
        if self._is_open:
            self.table.beat(self._index)
            self._loop.call_later(BEAT_EVERY_S, self._beat)

    def _receive(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1, _CLOSE_ON_EXEC)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if message == CONNECTION:
                self._take(descriptors)
            elif message == DRAIN:
                self._signals.on_drain()
                self.table.note_draining(self._index)
            else:
                self._finish()
                return

    def _take(self, descriptors: list[int]) -> None:
        if not descriptors:
            # This process has too many open files, and the system has closed it.
            self.count_closed()
            return
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:  # the caller has gone
            connection.close()
            self.count_closed()

    def _finish(self) -> None:
        self._loop.remove_reader(self._channel)
        self._channel.close()
        self._is_open = False
        self.table.leave(self._index)
        asyncio.gather(*self._connecting).add_done_callback(lambda _done: self._signals.on_end())
