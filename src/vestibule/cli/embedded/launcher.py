"""Starts the process of a part: by the fork server where this system allows it, else as a program of its own."""

import asyncio
import contextlib
import ctypes
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from vestibule.cli.embedded.parts import Part

_FORK_SERVER = "vestibule.cli.embedded.fork_server"
_PR_SET_CHILD_SUBREAPER = 36
# A part whose process was forked is started as a program where the fork server does not answer for so long.
_ANSWER_TIMEOUT_S = 30.0


class Process(Protocol):
    """A child process of this one, which its supervisor alone waits for."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """The exit code, or the number of the signal that ended it with a minus; None while it runs."""

    async def wait(self) -> int:
        """Wait until it has ended, and return the exit code."""

    def send_signal(self, signal: int) -> None:
        """Send a signal. Raises: ProcessLookupError."""


class Launcher:
    """Starts each part as a program of its own."""

    async def launch(self, part: Part) -> Process:
        """Start a part. Raises: OSError."""
        with part.log.open("ab") if part.log else contextlib.nullcontext() as output:
            return await asyncio.create_subprocess_exec(
                *part.command,
                env=part.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Only the supervisor gets the terminal's Ctrl-C: it stops the parts in order.
                start_new_session=True,
            )


class ForkServerLost(Exception):
    """The fork server does not answer, or has ended."""


class ForkingLauncher(Launcher):
    """Lets a fork server start the parts that are commands of this program; it starts another one if that ends.

    Parts that it cannot fork, and all while there is no fork server, are started as programs.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take the environment of the fork server, which no part gets: it should have no secrets."""
        self._environment = environment
        self._server: _ForkServer | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load the code of the parts meanwhile; end the fork server when the context is left."""
        with contextlib.suppress(OSError):
            self._server = await _ForkServer.start(self._environment)
        try:
            yield
        finally:
            if self._server:
                await self._server.close()

    async def launch(self, part: Part) -> Process:
        """Start a part. Raises: OSError."""
        if not part.arguments:
            return await super().launch(part)
        async with self._turn:
            try:
                if self._server is None:
                    self._server = await _ForkServer.start(self._environment)
                return await self._server.fork(part)
            except (ForkServerLost, OSError, TimeoutError):
                lost, self._server = self._server, None
                if lost:
                    await lost.close()
        return await super().launch(part)


def can_fork() -> bool:
    """Say whether this system lets a process become the parent of what its children leave behind, and wait for it."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (OSError, AttributeError):
        return False
    return True


class _ForkServer:
    """The connection to a fork server."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._is_ready = False

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> "_ForkServer":
        ours, theirs = socket.socketpair()
        with theirs:
            number = str(theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", _FORK_SERVER, number, str(os.getpid())),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def fork(self, part: Part) -> "ForkedProcess":
        """Start a part. Raises: ForkServerLost, TimeoutError, OSError."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            if not self._is_ready:
                await self._answer()
                self._is_ready = True
            order = {"arguments": part.arguments, "environment": dict(part.environment)}
            with _adopting():
                self._writer.write(json.dumps(order).encode() + b"\n")
                pid = int(await self._answer())
        return ForkedProcess(pid)

    async def close(self) -> None:
        """End the fork server; the parts run on."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def _answer(self) -> bytes:
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise ForkServerLost
        return line


@contextmanager
def _adopting() -> Iterator[None]:
    """Become the parent of processes whose parent ends meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class ForkedProcess:
    """A child process that asyncio has not started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    async def wait(self) -> int:
        """Wait until it has ended, and return the exit code, or the number of the signal with a minus."""
        if self.returncode is None:
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            descriptor = os.pidfd_open(self.pid)
            loop.add_reader(descriptor, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
            _, status = os.waitpid(self.pid, os.WNOHANG)  # noqa: ASYNC222 - it has ended
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, signal: int) -> None:
        """Send a signal; an ended process that was not waited for takes it in silence."""
        if self.returncode is None:
            os.kill(self.pid, signal)
