"""Runs processors in processes of their own, so that one that does not end can be ended.

A template process is forked when the service starts, while it has one thread; it forks the processes that work, which
share its memory until they write to it. One that exceeds the time limit is killed.
"""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NoReturn

import structlog

from vestibule.contracts.errors import InvalidInput, NotProcessable, Unavailable, VestibuleError
from vestibule.contracts.tasks import ERROR_DETAILS, ProcessRequest, WorkOrigin
from vestibule.processing import MAY_PASS, CannotProcess, Job, ProcessorRegistry
from vestibule.runtime.log_context import bound_log_fields, log_fields
from vestibule.runtime.parent_death import die_with_parent
from vestibule.runtime.shares import Shares

PLACES = 8
# A request waits this long for a place. Where none has become free for as long, it is refused at once.
WAIT_S = 0.5
START_TIMEOUT_S = 5.0
PART = "business_logic"
STARTED = b"+"


@dataclass(frozen=True, slots=True)
class _Work:
    """One piece of work for a process."""

    processor: str
    data: str
    options: dict[str, Any]
    work_id: str
    origin: WorkOrigin
    request_id: str | None


class _Worker:
    """A process that works, as its service sees it. It does one piece of work at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        if not connection.poll(START_TIMEOUT_S):
            raise EOFError("the process does not start")
        self._pid: int = connection.recv()

    def do(self, work: _Work, limit_s: float) -> str | VestibuleError:
        """Return the result, or the error for the caller.

        Raises:
            TimeoutError: the limit was exceeded, and the process was killed.
            EOFError, OSError: the process has ended.
        """
        self._connection.send(work)
        if self._connection.poll(limit_s):
            outcome: str | VestibuleError | None = self._connection.recv()
            return Unavailable("processor", ERROR_DETAILS["TaskInterrupted"]) if outcome is None else outcome
        # It has not ended: its connection would have.
        os.kill(self._pid, signal.SIGKILL)
        self.close()
        raise TimeoutError

    def close(self) -> None:
        """Close the connection, at whose end an idle process exits."""
        self._connection.close()


class ProcessorPool:
    """Runs at most `places` pieces of work at a time, half of them for one token. Use it within `running`."""

    def __init__(
        self,
        processors: ProcessorRegistry,
        limit_s: float,
        *,
        places: int = PLACES,
        prepare: Callable[[], object] = lambda: None,
        on_start: Callable[[], object] = lambda: None,
    ) -> None:
        """Take the parts. All processes share what `prepare` does, and each calls `on_start` once."""
        self._processors = processors
        self._limit_s = limit_s
        self._prepare = prepare
        self._on_start = on_start
        self._places = asyncio.Semaphore(places)
        self._shares = Shares(places // 2)
        self._threads = ThreadPoolExecutor(places, "processor")
        self._idle: list[_Worker] = []
        self._running: set[asyncio.Task[str]] = set()
        self._changed_at = time.monotonic()
        self._control: socket.socket | None = None
        self._template: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have processes meanwhile.

        Raises:
            EOFError: the template process ended; it has said why.
        """
        await asyncio.to_thread(_await_start, self._start_template())
        try:
            yield
        finally:
            for task in self._running:
                task.cancel()
            # The processes that it has forked end with it.
            self._template.kill()
            self._template.join()
            self._threads.shutdown(wait=False)
            for worker in self._idle:
                worker.close()
            if self._control is not None:
                self._control.close()

    @property
    def is_saturated(self) -> bool:
        """Whether all places are taken, and for a while none has been given or become free."""
        return self._places.locked() and time.monotonic() - self._changed_at > WAIT_S

    def note(self) -> str | None:
        """Say that the pool is saturated; None while it is not."""
        return "saturated: every process is busy with work that takes long" if self.is_saturated else None

    async def process(self, request: ProcessRequest, job: Job) -> str:
        """Return the result of a processor.

        Raises:
            InvalidInput: the processor or its options are wrong.
            NotProcessable: it failed on the data, and would again; or it exceeded the time limit and was ended.
            Unavailable: no place became free, or a retry may succeed.
        """
        if not self._template.is_alive():
            self._start_template()
        # A caller who leaves does not free the place: the work goes on until it ends or is ended.
        task = asyncio.create_task(self._in_place(request, job))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _in_place(self, request: ProcessRequest, job: Job) -> str:
        busy = Unavailable(PART, "Every process is busy. Nothing was done; retry later.")
        if self.is_saturated:
            raise busy
        has_place = False
        share = self._shares.of(job.origin.token_id or job.origin.tenant)
        try:
            async with asyncio.timeout(WAIT_S) as waiting, share, self._places:
                has_place = True
                self._changed_at = time.monotonic()
                waiting.reschedule(None)
                return await self._run(request, job)
        except TimeoutError:
            raise busy from None
        finally:
            if has_place:
                self._changed_at = time.monotonic()

    async def _run(self, request: ProcessRequest, job: Job) -> str:
        limits_s = (self._limit_s, self._processors.time_limit_s(request.processor), request.time_limit_s)
        limit_s = min(limit_s for limit_s in limits_s if limit_s is not None)
        request_id = log_fields().get("request_id")
        work = _Work(request.processor, request.data, request.options, job.id, job.origin, request_id)
        outcome = await asyncio.get_running_loop().run_in_executor(self._threads, self._do, work, limit_s)
        if isinstance(outcome, VestibuleError):
            raise outcome
        return outcome

    def _do(self, work: _Work, limit_s: float) -> str | VestibuleError:
        log = structlog.get_logger("vestibule.processing")
        try:
            # The one that worked last: the others, and their memory, are for when there is more to do.
            worker = self._idle.pop() if self._idle else self._start_worker()
            outcome = worker.do(work, limit_s)
        except TimeoutError:
            log.error("processor_ended", limit_s=limit_s, request_id=work.request_id)
            return NotProcessable(ERROR_DETAILS["TimeLimitExceeded"], kind="TimeLimitExceeded")
        except (EOFError, OSError) as error:
            log.error("processor_lost", error=type(error).__name__, request_id=work.request_id)
            return Unavailable(PART, "The process of the processor ended before it finished.")
        self._idle.append(worker)
        return outcome

    def _start_worker(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            assert self._control is not None  # noqa: S101 - it is used within `running`
            socket.send_fds(self._control, [b"+"], [theirs.fileno()])
        return _Worker(Connection(ours.detach()))

    def _start_template(self) -> socket.socket:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        # The garbage collector writes to every object that is not frozen, and what is written to is shared no more.
        gc.collect()
        gc.freeze()
        with theirs:
            self._template = get_context("fork").Process(
                target=self._serve_forks, args=(theirs, os.getpid()), name="processors", daemon=True
            )
            self._template.start()
        return self._control

    def _serve_forks(self, control: socket.socket, service_pid: int) -> None:
        """Fork a process for each connection that arrives, until the service has ended."""
        die_with_parent(service_pid)
        signal.set_wakeup_fd(-1)
        # Ctrl-C reaches the whole group; the service ends its processes itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if self._control is not None:
            self._control.close()
        self._prepare()
        gc.freeze()
        control.send(STARTED)
        template_pid = os.getpid()
        while True:
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not descriptors:
                return
            if os.fork() == 0:
                control.close()
                self._work(Connection(descriptors[0]), template_pid)
            os.close(descriptors[0])

    def _work(self, connection: Connection, template_pid: int) -> NoReturn:
        try:
            die_with_parent(template_pid)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._on_start()
            connection.send(os.getpid())
            while True:
                work: _Work = connection.recv()
                connection.send(_outcome_of(self._processors, work))
        except (EOFError, OSError):
            os._exit(0)  # the service has ended
        finally:
            os._exit(1)


def _await_start(control: socket.socket) -> None:
    if control.recv(1) != STARTED:
        raise EOFError("the process that starts others has ended")


def _outcome_of(processors: ProcessorRegistry, work: _Work) -> str | VestibuleError | None:
    """Return the result of a processor, or the error for the caller; None if a retry may succeed."""
    log = structlog.get_logger("vestibule.processing")
    with bound_log_fields(request_id=work.request_id):
        try:
            result = processors.process(work.processor, work.data, work.options, Job(work.work_id, work.origin))
            return str.__str__(result)  # of a subclass too, which the service may not know
        except InvalidInput as error:
            return error
        except CannotProcess as error:
            kind = error.kind if error.kind in ERROR_DETAILS else "TaskFailed"
            log.warning("processor_refused", error=kind)
        except MAY_PASS as error:
            log.warning("processor_interrupted", error=type(error).__name__)
            return None
        except Exception:
            log.exception("processor_failed")
            kind = "TaskFailed"
    return NotProcessable(ERROR_DETAILS[kind], kind=kind)
