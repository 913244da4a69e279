"""Runs a service's application under uvicorn until it is asked to end."""

import asyncio
import gc
import math
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from vestibule.contracts.identity import TENANT
from vestibule.service_kit.http.connections import TOKEN_HEADERS, Limits, RequestTimeouts, timeout_protocol
from vestibule.service_kit.logging.logging_config import flush_log
from vestibule.service_kit.processes.group import BACKLOG, FINAL_ACCEPT_S
from vestibule.service_kit.processes.member import Member, Signals
from vestibule.service_kit.settings import UNIX_SCHEME, ServiceSettings
from vestibule.service_kit.wiring import frame_of

# Descriptors that are reserved for files, peers and the store.
RESERVED_DESCRIPTORS = 200
# Used if the system names no limit.
MOST_DESCRIPTORS = 65_536
KEEP_ALIVE_S = 75
# A process that leaves the others goes on for so long, and tells its callers with each answer to connect anew.
LEAVE_S = 1.0
# A body may take this many times as long as a head.
BODY_TIMES = 2
# Threads that scan hand the interpreter back this soon. A small request needs it several times, and with the usual five
# milliseconds would wait for as long each time.
SWITCH_EVERY_S = 0.0005
STARTUP_FAILURE = 3  # as uvicorn's own program ends
COLLECT_AFTER_OBJECTS = 50_000


def raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft < wanted or soft == resource.RLIM_INFINITY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS has a lower limit than it names
            wanted = soft
    else:
        wanted = soft
    return max(wanted - RESERVED_DESCRIPTORS, wanted // 2)


def run_server(app: FastAPI, settings: ServiceSettings, member: Member | None = None) -> None:
    """Serve `app` until SIGTERM or SIGINT. `/readyz` then answers 503, and requests in flight are answered first.

    One of several processes is given its `member`: it serves what the parent hands over, until that ends. After SIGTERM
    it alone stops, and the others go on.
    """
    signal.signal(signal.SIGTERM, _end)
    _freeze_objects()
    sys.setswitchinterval(SWITCH_EVERY_S)
    timeout_s = settings.request_timeout_s
    shed_after_s = settings.load_shed_after_s or math.inf
    limits = Limits(timeout_s, BODY_TIMES * timeout_s, raise_descriptor_limit(), shed_after_s)
    # The services have one secret, and name the tenant on whose behalf they call.
    is_for_peers = frame_of(app).service == "database"
    timeouts = RequestTimeouts(limits, (TENANT.lower().encode(),) if is_for_peers else TOKEN_HEADERS)
    config = uvicorn.Config(
        app,
        http=timeout_protocol(timeouts),
        host=settings.host,
        port=settings.port,
        uds=settings.host.removeprefix(UNIX_SCHEME) if settings.host.startswith(UNIX_SCHEME) else None,
        # uvicorn's own log setup would print query strings.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    if member is None:
        server = DrainingServer(config, app, timeouts, settings.shutdown_drain_s)
    else:
        frame_of(app).processes = member.table
        timeouts.on_connection_lost = member.count_closed
        server = MemberServer(config, app, timeouts, member)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class DrainingServer(uvicorn.Server):
    """Accepts requests for some seconds after the signal while `/readyz` is 503; uvicorn closes its socket at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, timeouts: RequestTimeouts, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._timeouts = timeouts
        self._drain_s = drain_s
        self._asked: tuple[int, FrameType | None] | None = None
        self._ends_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to shut down; a second signal shuts down at once."""
        frame_of(self._app).is_shutting_down = self._timeouts.is_shutting_down = True
        if self._asked is not None or not self._drain_s:
            self._end(sig, frame)
            return
        self._asked, self._ends_at = (sig, frame), time.monotonic() + self._drain_s

    def _end(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, after those that the kernel has accepted already."""
        for listener in (one for server in self.servers for one in server.sockets):
            with socket.socket(fileno=os.dup(listener.fileno())) as ours:
                # The kernel queues no more. Queued connections are accepted now; closing the socket would reset them.
                ours.listen(0)
        if self.servers:
            await asyncio.sleep(FINAL_ACCEPT_S)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Continue until load balancers had time to notice."""
        if self._asked is not None and not self.should_exit and time.monotonic() >= self._ends_at:
            self._end(*self._asked)
        return await super().on_tick(counter)


class MemberServer(DrainingServer):
    """One of several processes: it has no socket that listens, and ends with the parent's or alone."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, timeouts: RequestTimeouts, member: Member) -> None:
        super().__init__(config, app, timeouts, LEAVE_S)
        self._member = member

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and take connections."""
        await super().startup(sockets or [])
        kind: Any = self.config.http_protocol_class
        state = {"server_state": self.server_state, "app_state": self.lifespan.state}
        self._member.begin(partial(kind, config=self.config, **state), Signals(self._on_drain, self._on_end))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let this process leave the others, which get all new connections; Ctrl-C is for the parent."""
        if sig == signal.SIGINT or self._asked is not None:
            return
        # Each response is the last on its connection, so that few are open at the end.
        self._timeouts.is_shutting_down = True
        self._member.leave()
        self._asked, self._ends_at = (sig, frame), time.monotonic() + self._drain_s

    def _on_drain(self) -> None:
        frame_of(self._app).is_shutting_down = self._timeouts.is_shutting_down = True

    def _on_end(self) -> None:
        if self._asked is None:
            self._end(signal.SIGTERM, None)


def _freeze_objects() -> None:
    # Rules, routes and models are some hundred thousand objects that live as long as the process. To examine them in
    # every collection costs a quarter of all requests' time, and pauses of tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)


def _end(number: int, _frame: FrameType | None) -> None:
    # uvicorn raises the signal again when all is done. The process then ends without Python's cleanup, which would take
    # longer than the rest of the shutdown; only the log needs to be flushed.
    flush_log()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
