"""Wires embedded mode: from the options of one instance to its running parts."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from vestibule.cli.embedded.banner import notify_ready, render_banner
from vestibule.cli.embedded.data_directory import (
    DataDirectory,
    ensure_key_ring,
    ensure_secrets,
    lock_data_directory,
    prepare_data_directory,
)
from vestibule.cli.embedded.launcher import ForkingLauncher, Launcher, can_fork
from vestibule.cli.embedded.parts import Layout, Part, fork_server_environment, list_parts, plan_redis
from vestibule.cli.embedded.readiness import RedisUrlReadiness
from vestibule.cli.embedded.redis_server import RedisServer, prepare_redis_server
from vestibule.cli.embedded.start_checks import (
    check_policy,
    check_ports,
    check_processors_and_routes,
    check_redis_url,
)
from vestibule.cli.embedded.supervisor import StartFailed, Supervisor
from vestibule.cli.embedded.supervisor_log import Log, SupervisorLog, last_log_lines
from vestibule.cli.options import DEVELOPMENT_TOKEN
from vestibule.runtime.starts import StartRefused

# The name of a variable, so that its value does not appear on the terminal.
_OWN_TOKEN = "$VESTIBULE_DEV_TOKEN"  # noqa: S105


def launch(layout: Layout, environment: Mapping[str, str], started_at: float) -> int:
    """Start the parts and supervise them until a stop is requested; return the exit code.

    `environment` is the user's own, which the parts inherit; `started_at` is on the clock of `time.monotonic`.

    Raises: StartError.
    """
    prepare_data_directory(layout.directory)
    with ExitStack() as exits:
        exits.enter_context(lock_data_directory(layout.directory))
        check_ports(list(layout.services.values()))
        ensure_secrets(layout.directory)
        if not environment.get("VESTIBULE_KEYRING_FILE"):
            ensure_key_ring(layout.directory)
        check_policy(layout.directory, environment)
        check_processors_and_routes(layout.directory, environment)
        redis: list[Part] = []
        if layout.redis_url:
            check_redis_url(layout.redis_url)
        else:
            server = prepare_redis_server(layout.directory)
            exits.callback(server.clean_up)
            layout = replace(layout, redis_url=server.url)
            redis = [plan_redis(server, partial(_repair_queue, server, layout.directory))]
        return asyncio.run(_supervise(layout, redis, environment, started_at))


def _repair_queue(server: RedisServer, directory: DataDirectory) -> str | None:
    """Set damaged files of the queue aside, and alert that it was done."""
    folder = server.set_damaged_files_aside()
    if folder is None:
        return None
    # These take a second to import, and are needed here alone.
    from vestibule.alerts import AlertSettings, AlertType, build_alert_engine

    done = f"its damaged files are in redis/{folder.name}; tasks are dispatched again from the ledger"
    try:
        engine = build_alert_engine("supervisor", AlertSettings(data_dir=directory.path))
        asyncio.run(engine.raise_alert(AlertType.QUEUE_FILES_DAMAGED, f"Redis could not read its files: {done}."))
    except (ValueError, StartRefused):
        pass  # the services refuse to start for the same reason, and say it
    return done


async def _supervise(layout: Layout, redis: list[Part], environment: Mapping[str, str], started_at: float) -> int:
    is_terminal = sys.stdout.isatty()
    supervisor_log = SupervisorLog(
        sys.stdout,
        has_colour=is_terminal and not environment.get("NO_COLOR"),
        shows_progress=is_terminal,
        open_log=partial(_open_log, layout.directory, is_terminal),
    )
    token = _OWN_TOKEN if environment.get("VESTIBULE_DEV_TOKEN") else DEVELOPMENT_TOKEN

    def when_ready() -> None:
        supervisor_log.show(render_banner(layout, time.monotonic() - started_at, token))
        notify_ready(environment)

    def when_failed(failure: StartFailed) -> None:
        _explain(failure, supervisor_log, layout.directory)

    given = None if redis else RedisUrlReadiness(layout.redis_url)
    async with _launching(layout, environment) as launcher:
        supervisor = Supervisor(redis, list_parts(layout, environment), supervisor_log, given, launcher)
        return await supervisor.run(when_ready, when_failed)


@asynccontextmanager
async def _launching(layout: Layout, environment: Mapping[str, str]) -> AsyncIterator[Launcher]:
    if not (layout.is_forking and can_fork()):
        yield Launcher()
        return
    launcher = ForkingLauncher(fork_server_environment(environment))
    async with launcher.running():
        yield launcher


def _open_log(directory: DataDirectory, is_terminal: bool) -> Log:
    """Open `app.log`. Its lines go to stdout too, unless that is a terminal, which has the lines of the supervisor."""
    # These take a second to import, which would delay the start of the parts.
    import structlog

    from vestibule.service_kit import settings
    from vestibule.service_kit.logging import logging_config

    # Open for as long as the process lives.
    stdout = Path(os.devnull).open("w", encoding="utf-8") if is_terminal else sys.stdout  # noqa: SIM115
    logging_config.configure_logging(
        "supervisor", settings.ServiceSettings(data_dir=directory.path, embedded=True), stdout
    )
    log: Log = structlog.get_logger()
    return log


def _explain(failure: StartFailed, supervisor_log: SupervisorLog, directory: DataDirectory) -> None:
    supervisor_log.fail("start_failed", f"vestibule: {failure}", parts=[part.name for part in failure.parts])
    if failure.exit_code == os.EX_CONFIG:
        # The part has printed its reason; its log lines are from earlier runs.
        return
    for part in failure.parts:
        lines = last_log_lines(part, directory.app_log) or ["no log lines; see its output above"]
        supervisor_log.show(f"last log lines of {part.name}:")
        for line in lines:
            supervisor_log.show(f"  {line}")
