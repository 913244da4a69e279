"""Supervises one process: starts it, restarts it when it exits, and stops it."""

import asyncio
import contextlib
import os
import signal
import time

from vestibule.cli.embedded.launcher import Launcher, Process
from vestibule.cli.embedded.parts import Part
from vestibule.cli.embedded.readiness import until_ready
from vestibule.cli.embedded.supervisor_log import SupervisorLog
from vestibule.runtime.restart_delay import RestartDelay

_MAX_FAILED_STARTS = 3


class ProcessSupervisor:
    """Supervises the process of one part in a task of the event loop.

    `is_settled` is set when the part is ready for the first time, or when its start has failed too often. A part that
    exits with `EX_CONFIG` before it was ready is not restarted: invalid settings stay invalid.
    """

    def __init__(self, part: Part, supervisor_log: SupervisorLog, launcher: Launcher) -> None:
        self.part = part
        self._launcher = launcher
        self.has_been_ready = False
        self.is_misconfigured = False
        self.is_settled = asyncio.Event()
        self._supervisor_log = supervisor_log
        self._process: Process | None = None
        self._stop_requested = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start supervising. Call it in the main thread: the process ends with the thread that starts it."""
        self._task = asyncio.create_task(self._keep_running(), name=f"keep {self.part.name}")

    async def stop(self, deadline: float) -> None:
        """Terminate the process, and kill it at `deadline` (the event loop's clock)."""
        self._stop_requested.set()
        self._terminate()
        if self._task is None:
            return
        timeout_s = max(0.0, deadline - asyncio.get_running_loop().time())
        await asyncio.wait({self._task}, timeout=timeout_s)
        if not self._task.done():
            self._supervisor_log.warn(
                "part_killed", f"{self.part.name} did not stop in time and is killed", part=self.part.log_name
            )
            self.kill()
            await self._task
        self._supervisor_log.note("part_stopped", f"{self.part.name} has stopped", part=self.part.log_name)

    def kill(self) -> None:
        """Kill the process and its children at once, without a restart."""
        self._stop_requested.set()
        if self._process:
            _kill_group(self._process.pid)

    async def _keep_running(self) -> None:
        restart_delay, exits = RestartDelay(), 0
        while not self._stop_requested.is_set():
            started_at = time.monotonic()
            exit_reason = await self._run_once(started_at)
            if self._stop_requested.is_set():
                return
            exits += 1
            if self.is_misconfigured:
                self._report_misconfiguration(exit_reason)
                self.is_settled.set()
                return
            if self.part.repair and (done := await asyncio.to_thread(self.part.repair)):
                self._supervisor_log.warn(
                    "part_repaired", f"{self.part.name}: {done}", part=self.part.log_name, done=done
                )
            if exits >= _MAX_FAILED_STARTS and not self.has_been_ready:
                self.is_settled.set()
            delay_s = restart_delay.after_run(time.monotonic() - started_at)
            self._report_exit(exit_reason, delay_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop_requested.wait(), delay_s)

    async def _run_once(self, started_at: float) -> str:
        """Start the process, wait for its exit, and return the reason of the exit."""
        try:
            self.part.readiness.forget()
            process = await self._launcher.launch(self.part)
        except OSError as error:
            return f"could not be started: {error.strerror}"
        self._process = process
        if self._stop_requested.is_set():
            self._terminate()
        watch = asyncio.create_task(self._watch_readiness(started_at, process.pid))
        try:
            exit_code = await process.wait()
            self.is_misconfigured = exit_code == os.EX_CONFIG and not self.has_been_ready
            if exit_code >= 0:
                return f"exited with code {exit_code}"
            return f"was killed by {signal.Signals(-exit_code).name}"
        finally:
            watch.cancel()
            _kill_group(process.pid)

    async def _watch_readiness(self, started_at: float, pid: int) -> None:
        await until_ready(self.part.readiness)
        took_s = round(time.monotonic() - started_at, 2)
        event, again = ("part_restarted", " again") if self.has_been_ready else ("part_started", "")
        self.has_been_ready = True
        self.is_settled.set()
        name = self.part.name
        self._supervisor_log.note(
            event, f"{name} is ready{again} ({took_s:.1f} s)", part=self.part.log_name, pid=pid, took_s=took_s
        )

    def _report_exit(self, exit_reason: str, delay_s: float) -> None:
        when = f"in {delay_s:g} s" if delay_s else "at once"
        name = self.part.name
        text = f"{name} {exit_reason}; it is restarted {when}"
        self._supervisor_log.warn(
            "part_exited", text, part=self.part.log_name, exit_reason=exit_reason, restart_in_s=delay_s
        )

    def _report_misconfiguration(self, exit_reason: str) -> None:
        text = f"{self.part.name} {exit_reason}: its settings or files are invalid; it is not restarted"
        self._supervisor_log.warn("part_exited", text, part=self.part.log_name, exit_reason=exit_reason)

    def _terminate(self) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
                # A stopped process handles no signal until it continues.
                self._process.send_signal(signal.SIGCONT)


def _kill_group(pid: int) -> None:
    # macOS returns EPERM for a group that has only zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
