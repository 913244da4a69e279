"""The parent of the processes of a service: holds the port, hands each connection to one of them, replaces what ends.

Of ten connections at once, one of two processes that accept from the same socket often takes eight or all; with a
socket each (`SO_REUSEPORT`) it has seven or more in a third of all cases, and what waits for a process that ends is
reset. Here each connection goes to the process that has fewest (docs/adr/0066). The parent runs no event loop and
starts no thread, so that it can fork at any time.
"""

import errno
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from vestibule.runtime.parent_death import die_with_parent
from vestibule.runtime.restart_delay import RestartDelay
from vestibule.service_kit.processes.member import CONNECTION, DRAIN, Member
from vestibule.service_kit.processes.siblings import Mailbox, Siblings
from vestibule.service_kit.processes.table import ProcessTable

BACKLOG = 4096
# A connection that is being opened when the socket is closed would be reset.
FINAL_ACCEPT_S = 0.1
# Within this time a busy process notices that it is to shut down.
NOTICE_S = 2.0
# Beyond the time that requests in flight have, for a process to close what it has open.
CLOSE_S = 10.0
_POLL_S = 0.02
_MOST_AT_ONCE = 64
_STARTUP_FAILURE = 3


@dataclass(slots=True)
class _Process:
    pid: int
    channel: socket.socket
    began: float
    handed: int = 0
    is_leaving: bool = False


class ProcessGroup:
    """Runs `count` processes over `listeners`, bound sockets, until SIGTERM or SIGINT."""

    def __init__(self, listeners: Sequence[socket.socket], count: int, drain_s: float, grace_s: float) -> None:
        """Take also the seconds in which requests are accepted after the signal, and those that they have to finish."""
        self._listeners = listeners
        self._count = count
        self._drain_s = drain_s
        self._grace_s = grace_s
        self._table = ProcessTable(count)
        self._mailboxes = [Mailbox() for _ in range(count)]
        self._processes: dict[int, _Process] = {}
        self._delays = [RestartDelay() for _ in range(count)]
        # When each process that has ended is started again, and why it ended.
        self._due: dict[int, tuple[float, str | None]] = {0: (0.0, None)}
        self._has_served = False
        self._waiting: socket.socket | None = None
        self._are_listening = self._are_accepting = False
        self._signals: list[int] = []

    def run(self) -> Member:
        """Start the processes. Returns in each of them; in this process, it ends the program instead."""
        self._selector = selectors.DefaultSelector()
        self._wakeup = os.pipe()
        for descriptor in self._wakeup:
            os.set_blocking(descriptor, False)
        self._selector.register(self._wakeup[0], selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, self._on_signal)
        while True:
            self._reap()
            if member := self._start_due():
                return member
            self._update_listeners()
            self._serve_once(None if self._is_settled() else _POLL_S)
            if self._signals:
                self._shut_down()
                _end_by(self._signals[0])

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _is_settled(self) -> bool:
        """Say whether nothing has to be looked at before something happens."""
        serving = all(self._table.is_serving(one) for one in range(self._count))
        return serving and self._are_accepting and self._waiting is None

    # Processes

    def _start_due(self) -> Member | None:
        if self._table.is_built(0):
            # The first shows whether the service can start: with invalid settings one message is enough.
            for index in range(1, self._count):
                if index not in self._processes and index not in self._due:
                    self._due[index] = (0.0, None)
        now = time.monotonic()
        for index, (at, reason) in list(self._due.items()):
            if at <= now:
                del self._due[index]
                if member := self._fork(index, reason):
                    return member
        return None

    def _fork(self, index: int, replaces: str | None) -> Member | None:
        ours, theirs = socket.socketpair()
        self._table.clear(index)
        parent_pid = os.getpid()
        pid = os.fork()
        if pid:
            theirs.close()
            ours.setblocking(False)
            self._processes[index] = _Process(pid, ours, time.monotonic())
            return None
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent(parent_pid)
        self._selector.close()
        held = [*self._listeners, ours, *(one.channel for one in self._processes.values())]
        for one in [*held, self._waiting] if self._waiting else held:
            one.close()
        for descriptor in self._wakeup:
            os.close(descriptor)
        siblings = Siblings(index, self._mailboxes, self._table)
        return Member(index, self._table, siblings, theirs, replaces)

    def _reap(self) -> None:
        """Note the processes that have ended, and when they are started again."""
        for index, process in list(self._processes.items()):
            ended, status = os.waitpid(process.pid, os.WNOHANG)
            if not ended:
                continue
            process.channel.close()
            del self._processes[index]
            self._table.leave(index)
            code = os.waitstatus_to_exitcode(status)
            if self._signals:
                continue
            if not self._has_served:
                self._fail(code)
            delay_s = self._delays[index].after_run(time.monotonic() - process.began)
            self._due[index] = (time.monotonic() + delay_s, _describe(code))

    def _fail(self, code: int) -> None:
        """End as a process that cannot start, since the processes cannot."""
        self._kill()
        sys.exit(code if code > 0 else _STARTUP_FAILURE)

    def _kill(self) -> None:
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)

    # Connections

    def _update_listeners(self) -> None:
        """Accept connections while there is a process to hand them to; until then they wait in the kernel's queue."""
        if not self._has_served and all(self._table.is_serving(one) for one in range(self._count)):
            self._has_served = True
        if not self._are_listening and any(self._table.is_serving(one) for one in range(self._count)):
            self._are_listening = True
            for listener in self._listeners:
                listener.listen(BACKLOG)
        if self._waiting is not None and self._hand_over(self._waiting):
            self._waiting = None
        can_accept = self._are_listening and self._waiting is None
        if can_accept != self._are_accepting:
            self._are_accepting = can_accept
            for listener in self._listeners:
                if can_accept:
                    self._selector.register(listener, selectors.EVENT_READ)
                else:
                    self._selector.unregister(listener)

    def _serve_once(self, timeout_s: float | None) -> None:
        """Wait until something happens, and hand over connections."""
        for key, _ in self._selector.select(timeout_s):
            if isinstance(key.fileobj, socket.socket):
                self._accept(key.fileobj)
            else:
                with suppress(BlockingIOError):
                    while os.read(self._wakeup[0], 4096):
                        pass

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_MOST_AT_ONCE):
            if self._waiting is not None:
                return
            try:
                connection, _address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    time.sleep(_POLL_S)
                    return
                continue  # the caller has gone
            if not self._hand_over(connection):
                self._waiting = connection

    def _hand_over(self, connection: socket.socket) -> bool:
        """Give a connection to the process that has fewest; False where none takes it now."""

        def open_connections(index: int) -> int:
            return self._processes[index].handed - self._table.closed(index)

        able = [one for one in self._processes if self._table.is_serving(one) and not self._processes[one].is_leaving]
        for index in sorted(able, key=open_connections):
            process = self._processes[index]
            try:
                socket.send_fds(process.channel, [CONNECTION], [connection.fileno()])
            except OSError as error:
                # It takes no more, or it is behind, and others may not be.
                process.is_leaving = error.errno in (errno.EPIPE, errno.ECONNRESET)
                continue
            process.handed += 1
            connection.close()
            return True
        return False

    # Shutdown

    def _shut_down(self) -> None:
        """Accept connections until load balancers had time to notice, then close the port and end the processes."""
        for index, process in self._processes.items():
            with suppress(OSError):
                if self._table.is_serving(index):
                    process.channel.send(DRAIN)
                else:
                    os.kill(process.pid, signal.SIGTERM)
        if self._drain_s:
            # The time is for whoever looks at `/readyz`, so it begins when all processes have noticed.
            noticed_by = time.monotonic() + NOTICE_S
            while not self._table.are_draining() and time.monotonic() < noticed_by and len(self._signals) < 2:
                self._update_listeners()
                self._serve_once(_POLL_S)
        self._accept_until(time.monotonic() + self._drain_s)
        for listener in self._listeners if self._are_listening else ():
            # The kernel queues no more. Queued connections are accepted now; closing the socket would reset them.
            listener.listen(0)
        self._accept_until(time.monotonic() + FINAL_ACCEPT_S, most_signals=2)
        for listener in self._listeners:
            if self._are_accepting:
                self._selector.unregister(listener)
            listener.close()
        for process in self._processes.values():
            process.channel.close()
        ends_at = time.monotonic() + self._grace_s + CLOSE_S
        while self._processes and time.monotonic() < ends_at and len(self._signals) < 3:
            self._reap_or_wait()
        self._kill()

    def _accept_until(self, ends_at: float, most_signals: int = 1) -> None:
        """Go on accepting; a second signal ends the first of the two times that this is done."""
        while (left_s := ends_at - time.monotonic()) > 0 and len(self._signals) <= most_signals:
            self._update_listeners()
            self._serve_once(min(left_s, _POLL_S))

    def _reap_or_wait(self) -> None:
        self._reap()
        if self._processes:
            # A process that ends wakes this.
            self._serve_once(_POLL_S)


def _describe(code: int) -> str:
    return f"exited with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


def _end_by(number: int) -> NoReturn:
    """End as a service of one process does after that signal."""
    if number != signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    sys.exit(0)
