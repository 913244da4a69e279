"""Messages between the processes of a service on one machine.

Each process has a mailbox, a pair of datagram sockets that the parent made and that outlives the process. A message is
lost where its receiver ends or its mailbox is full. What must not be lost is in the store or in Redis, and read there.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import orjson
import structlog

from vestibule.service_kit.processes.table import ProcessTable

ANSWER_TIMEOUT_S = 0.5
_MOST_BYTES = 4096
_TOLD, _ASKED, _DONE = range(3)

Handler = Callable[[str], Awaitable[object]]


class Mailbox:
    """What is sent to one process."""

    def __init__(self) -> None:
        self.reader, self.writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (self.reader, self.writer):
            end.setblocking(False)


class Siblings:
    """The other processes of this service: tells them what happens here, and lets them do something."""

    def __init__(self, own: int = 0, mailboxes: Sequence[Mailbox] = (), table: ProcessTable | None = None) -> None:
        """Take the number of this process, the mailboxes of all and their table; without them it is alone."""
        self._own = own
        self._mailboxes = mailboxes
        self._table = table
        self._handlers: dict[str, Handler] = {}
        self._numbers = itertools.count()
        self._asked: dict[int, tuple[set[int], asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def are_there(self) -> bool:
        """Whether the service has several processes."""
        return len(self._mailboxes) > 1

    def on(self, topic: str, handle: Handler) -> None:
        """Call `handle` with the text of each message about `topic`."""
        self._handlers[topic] = handle

    def tell(self, topic: str, text: str = "") -> None:
        """Send a message to each other process, and wait for none."""
        for process in range(len(self._mailboxes)):
            if process != self._own:
                self._send(process, _TOLD, 0, topic, text)

    async def ask(self, topic: str, text: str = "", timeout_s: float = ANSWER_TIMEOUT_S) -> bool:
        """Let each other process that serves requests handle a message; say whether all did within `timeout_s`."""
        table = self._table
        others = {one for one in range(len(self._mailboxes)) if one != self._own and table and table.is_serving(one)}
        if not others:
            return True
        number, are_done = next(self._numbers), asyncio.Event()
        self._asked[number] = others, are_done
        try:
            for process in list(others):
                self._send(process, _ASKED, number, topic, text)
            async with asyncio.timeout(timeout_s):
                await are_done.wait()
        except TimeoutError:
            return False
        finally:
            del self._asked[number]
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Handle messages while the context is open."""
        if not self._mailboxes:
            yield
            return
        reader, loop = self._mailboxes[self._own].reader, asyncio.get_running_loop()
        # What was sent to the process that had this place before is not for this one.
        with suppress(BlockingIOError):
            while True:
                reader.recv(_MOST_BYTES)
        loop.add_reader(reader, self._receive)
        try:
            yield
        finally:
            loop.remove_reader(reader)
            for task in self._tasks:
                task.cancel()

    def _send(self, process: int, *message: object) -> None:
        with suppress(OSError):
            self._mailboxes[process].writer.send(orjson.dumps([self._own, *message]))

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while True:
                sender, kind, number, topic, text = orjson.loads(self._mailboxes[self._own].reader.recv(_MOST_BYTES))
                if kind == _DONE:
                    self._note_done(sender, number)
                else:
                    task = asyncio.ensure_future(self._handle(sender, kind, number, topic, text))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    def _note_done(self, sender: int, number: int) -> None:
        if asked := self._asked.get(number):
            waiting, are_done = asked
            waiting.discard(sender)
            if not waiting:
                are_done.set()

    async def _handle(self, sender: int, kind: int, number: int, topic: str, text: str) -> None:
        try:
            if handle := self._handlers.get(topic):
                await handle(text)
        except Exception as error:  # noqa: BLE001 - who sent it goes on; what it is about is followed elsewhere too
            structlog.get_logger("vestibule.processes").warning(
                "message_not_handled", topic=topic, error=type(error).__name__
            )
        if kind == _ASKED:
            self._send(sender, _DONE, number, "", "")


def as_handler(take: Callable[[str], object]) -> Handler:
    """Return what calls `take`, which waits for nothing."""

    async def handle(text: str) -> None:
        take(text)

    return handle
