"""Starts all parts, restarts those that exit, and stops them in order at shutdown."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from itertools import groupby
from typing import Any

from vestibule.cli.embedded.launcher import Launcher
from vestibule.cli.embedded.parts import Part
from vestibule.cli.embedded.process_supervisor import ProcessSupervisor
from vestibule.cli.embedded.readiness import PartReadiness, until_ready
from vestibule.cli.embedded.supervisor_log import SupervisorLog

EXIT_KILLED = 130
READY_TIMEOUT_S = 60.0
# One Ctrl-C can reach this process twice, from the terminal and from a `make` that passes it on.
_SAME_CTRL_C_S = 0.5


class StartFailed(Exception):
    """The parts did not become ready; `parts` are those that failed."""

    def __init__(self, reason: str, parts: Sequence[Part] = (), exit_code: int = 1) -> None:
        super().__init__(reason)
        self.parts = parts
        self.exit_code = exit_code


class Supervisor:
    """Runs `first`, then, when those are ready, `rest`.

    `external` is a server that the parts need and that is not run here; `launcher` starts their processes. The parts
    stop in the order of their stages.
    """

    def __init__(
        self,
        first: Sequence[Part],
        rest: Sequence[Part],
        supervisor_log: SupervisorLog,
        external: PartReadiness | None = None,
        launcher: Launcher | None = None,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        self._supervisor_log = supervisor_log
        launcher = launcher or Launcher()
        self._first = [ProcessSupervisor(part, supervisor_log, launcher) for part in first]
        self._rest = [ProcessSupervisor(part, supervisor_log, launcher) for part in rest]
        self._external = external
        self._ready_timeout_s = ready_timeout_s
        self._stop_requested = asyncio.Event()
        self._stop_requested_at: float | None = None
        self._is_killed = False

    async def run(self, when_ready: Callable[[], None], when_failed: Callable[[StartFailed], None]) -> int:
        """Run until SIGINT, SIGTERM or SIGHUP, or until the start has failed.

        Returns the exit code: 0 after a shutdown, 1 after a failed start, 78 if the settings of a part are invalid, 130
        after a second Ctrl-C.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)
        exit_code = 0
        log_opening: asyncio.Task[None] | None = None
        try:
            await self._unless_stopped(self._bring_up())
            if not self._stop_requested.is_set():
                when_ready()
                log_opening = asyncio.create_task(self._supervisor_log.open_log())
                await self._stop_requested.wait()
        except StartFailed as failure:
            when_failed(failure)
            exit_code = failure.exit_code
        await asyncio.gather(self._stop_all(), log_opening or self._supervisor_log.open_log())
        self._supervisor_log.note("stopped", "everything is stopped")
        return EXIT_KILLED if self._is_killed else exit_code

    def _on_signal(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if self._stop_requested_at is None:
            self._stop_requested_at = now
            self._supervisor_log.note(
                "shutdown_requested", "shutting down; Ctrl-C again kills everything at once", signal=number.name
            )
            self._stop_requested.set()
        elif number == signal.SIGINT and now - self._stop_requested_at > _SAME_CTRL_C_S:
            self._is_killed = True
            for supervised in self._supervised:
                supervised.kill()

    async def _bring_up(self) -> None:
        if self._external:
            await self._await_external(self._external)
        for group in (self._first, self._rest):
            for supervised in group:
                supervised.start()
            await self._await_settled(group)

    async def _await_external(self, external: PartReadiness) -> None:
        self._supervisor_log.note("waiting_for_redis", "waiting for Redis at VESTIBULE_REDIS_URL")
        try:
            async with asyncio.timeout(self._ready_timeout_s):
                await until_ready(external)
        except TimeoutError:
            raise StartFailed(f"VESTIBULE_REDIS_URL did not answer within {self._ready_timeout_s:g} s") from None

    async def _await_settled(self, supervised: Sequence[ProcessSupervisor]) -> None:
        waits = {asyncio.create_task(_await_ready(supervised)) for supervised in supervised}
        if not waits:
            return
        done, pending = await asyncio.wait(waits, timeout=self._ready_timeout_s, return_when=asyncio.FIRST_EXCEPTION)
        for wait in pending:
            wait.cancel()
        failures = [wait.exception() for wait in done]
        for failure in filter(None, failures):
            raise failure
        late = [supervised.part for supervised in supervised if not supervised.has_been_ready]
        if late:
            names = ", ".join(part.name for part in late)
            raise StartFailed(f"not ready after {self._ready_timeout_s:g} s: {names}", late)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop_requested.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        elif not self._stop_requested.is_set():
            working.result()

    async def _stop_all(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def stage_of(supervised: ProcessSupervisor) -> float:
            return supervised.part.stop_stage.value

        for deadline_s, supervised in groupby(sorted(self._supervised, key=stage_of), key=stage_of):
            await asyncio.gather(*(supervised.stop(began + deadline_s) for supervised in supervised))

    @property
    def _supervised(self) -> list[ProcessSupervisor]:
        return self._first + self._rest


async def _await_ready(supervised: ProcessSupervisor) -> None:
    await supervised.is_settled.wait()
    if supervised.is_misconfigured:
        reason = f"{supervised.part.name} cannot start: its settings or files are invalid; see its message above"
        raise StartFailed(reason, [supervised.part], os.EX_CONFIG)
    if not supervised.has_been_ready:
        raise StartFailed(f"{supervised.part.name} exited repeatedly before it was ready", [supervised.part])
