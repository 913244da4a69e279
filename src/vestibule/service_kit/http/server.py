"""Runs a service's application under uvicorn, quiet about what it serves."""

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from vestibule.service_kit.http.request_timeouts import (
    Limits,
    RequestTimeouts,
    raise_descriptor_limit,
    timeout_protocol,
)
from vestibule.service_kit.logging.logging_config import flush_log
from vestibule.service_kit.settings import UNIX_SCHEME, ServiceSettings
from vestibule.service_kit.wiring import frame_of

BACKLOG = 4096
KEEP_ALIVE_S = 75
FINAL_ACCEPT_S = 0.1
# A body may take so many times as long as a head.
BODY_TIMES = 2
STARTUP_FAILURE = 3  # as uvicorn's own program ends
COLLECT_AFTER_OBJECTS = 50_000


def run_server(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until SIGTERM or SIGINT; it says that it stops, and requests under way are answered first."""
    signal.signal(signal.SIGTERM, _end)
    _spare_collector()
    limits = Limits(settings.request_timeout_s, BODY_TIMES * settings.request_timeout_s, raise_descriptor_limit())
    timeouts = RequestTimeouts(limits)
    config = uvicorn.Config(
        app,
        http=timeout_protocol(timeouts),
        host=settings.host,
        port=settings.port,
        uds=settings.host.removeprefix(UNIX_SCHEME) if settings.host.startswith(UNIX_SCHEME) else None,
        # Its own log set-up would print query strings; ours is configured already.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    server = DrainingServer(config, app, timeouts, settings.shutdown_drain_s)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class DrainingServer(uvicorn.Server):
    """uvicorn closes its door at the signal; this one first says for a time that it will, and serves all who come."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, timeouts: RequestTimeouts, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._timeouts = timeouts
        self._drain_s = drain_s
        self._asked: tuple[int, FrameType | None] | None = None
        self._ends_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second signal stops at once."""
        frame_of(self._app).is_shutting_down = self._timeouts.is_shutting_down = True
        if self._asked is not None or not self._drain_s:
            super().handle_exit(sig, frame)
            return
        self._asked, self._ends_at = (sig, frame), time.monotonic() + self._drain_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, after those that the kernel has accepted already."""
        for listener in (one for server in self.servers for one in server.sockets):
            with socket.socket(fileno=os.dup(listener.fileno())) as ours:
                # The system queues nobody more. Those that it has queued are taken now; to close would cut them off.
                ours.listen(0)
        await asyncio.sleep(FINAL_ACCEPT_S)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Go on until everybody had the time to hear of it."""
        if self._asked is not None and not self.should_exit and time.monotonic() >= self._ends_at:
            super().handle_exit(*self._asked)
        return await super().on_tick(counter)


def _spare_collector() -> None:
    # What was built until now lives as long as the process: rules, routes, models, some hundred thousand objects. Going
    # through them again and again costs a quarter of all requests' time, and a pause of tens of milliseconds each.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)


def _end(number: int, _frame: FrameType | None) -> None:
    # uvicorn raises the signal anew when all is done, and the system ends the process then, without what Python does at
    # an end: that would take longer than all the rest, and only the log needs it.
    flush_log()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
