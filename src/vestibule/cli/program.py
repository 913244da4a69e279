"""The commands that run one part of the system in the foreground: serve and worker."""

import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame.noun import with_examples
from vestibule.cli.options import REFUSAL, echo, exit_on, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from vestibule.service_kit.processes.member import Member
    from vestibule.service_kit.settings import ServiceSettings

RESTARTED_AFTER_S = 10.0
# The lowest level that a part shows on a terminal. `vestibule up` sets it; a pipe and the file get every line.
TERMINAL_LEVEL_VARIABLE = "VESTIBULE_TERMINAL_LEVEL"
# Optional packages that libraries import where they are installed, and that the services do not use: structlog imports
# the printer of coloured tracebacks, redis the SDK of OpenTelemetry and with it psutil, kombu the YAML parser.
# Together they take 6 MB of a service, and a tenth of its start.
# With setproctitle Celery would name its processes; ours have their command lines.
UNUSED = ("rich", "opentelemetry.sdk", "psutil", "setproctitle", "yaml")


class Service(StrEnum):
    """The services by the names that the command line uses."""

    CLIENT = "client"
    DATABASE = "database"
    BUSINESS_LOGIC = "business-logic"
    SCHEDULER = "scheduler"
    CONSOLE = "console"


@with_examples("vestibule serve client", "vestibule serve business-logic")
def serve(service: Annotated[Service, typer.Argument(help="Which service to run.")]) -> None:
    """Run one service in the foreground.

    Its options are environment variables: see `vestibule config`.
    """
    from vestibule.runtime.parent_death import PARENT_PID_VARIABLE, die_with_parent

    die_with_parent(int(os.environ.get(PARENT_PID_VARIABLE) or 0))
    _refuse_secrets()
    with without_packages(*UNUSED):
        from vestibule.encryption import KeyRingUnreadable
        from vestibule.runtime.starts import StartRefused
        from vestibule.service_kit.auth.service_secret import ServiceSecretMissing
        from vestibule.service_kit.auth.token_file import InvalidTokenFile
        from vestibule.service_kit.http.server import run_server
        from vestibule.service_kit.logging.logging_config import configure_logging
        from vestibule.service_kit.wiring import frame_of

        settings_class, create_app = _parts_of(service)
    errors = (ValueError, OSError, ServiceSecretMissing, KeyRingUnreadable, InvalidTokenFile, StartRefused)
    with exit_on(*errors, before="cannot start: ", exit_code=os.EX_CONFIG):
        settings = settings_class()
        _refuse_dev_token(settings)
        # From here on in each of the processes, if there are several.
        member = _fork_processes(service, settings) if settings.process_count > 1 else None
        process = member.name if member else None
        configure_logging(service.value.replace("-", "_"), settings, process=process, **_for_terminal())
        app = create_app(settings, member.siblings) if member else create_app(settings)
        if member:
            member.note_built()
            _note_replacement(member)
    try:
        run_server(app, settings, member)
    except SystemExit:
        if refusal := frame_of(app).refusal:
            fail(f"cannot start: {refusal}", os.EX_CONFIG)
        raise


@with_examples("vestibule worker --name worker1 --concurrency 2", "vestibule worker --name worker-%h")
def worker(
    name: Annotated[
        str, typer.Option(help="Name in logs and in the queue; %h is the name of the host, or of the container.")
    ] = "worker1",
    concurrency: Annotated[int, typer.Option(min=1, help="Tasks that it runs at a time.")] = 2,
) -> None:
    """Run one Celery worker in the foreground.

    Its options are environment variables: see `vestibule config`.
    """
    # Celery reads this when it is imported. With it, SIGTERM waits a little for running tasks and returns the others to
    # the queue; without it, SIGTERM waits for as long as they run.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    # The warning about root concerns messages that can contain code; ours cannot.
    warnings.filterwarnings("ignore", message=".*superuser privileges")
    from vestibule.runtime.parent_death import PARENT_PID_VARIABLE, die_with_parent, tie_pool_children

    die_with_parent(int(os.environ.get(PARENT_PID_VARIABLE) or 0))
    _refuse_secrets()
    with without_packages(*UNUSED):
        from vestibule.client_service.settings import WorkerSettings
        from vestibule.encryption import KeyRingFile, KeyRingUnreadable
        from vestibule.runtime.starts import StartRefused
        from vestibule.worker.worker import build_worker, run_worker
    errors = (ValueError, OSError, KeyRingUnreadable, StartRefused)
    with exit_on(*errors, before="cannot start: ", exit_code=os.EX_CONFIG):
        settings = WorkerSettings()
        _refuse_dev_token(settings)
        app = build_worker(name, settings, KeyRingFile(settings.key_ring_path))
    name = name.replace("%h", gethostname())
    ready_file = settings.data_dir / "run" / f"{name}.ready"
    on_fork = tie_pool_children()
    exit_code = run_worker(name, concurrency, settings, app, ready_file=ready_file, on_fork=on_fork, **_for_terminal())
    ready_file.unlink(missing_ok=True)
    raise typer.Exit(exit_code)


@contextmanager
def without_packages(*names: str) -> Iterator[None]:
    """Let imports of `names` fail as if they were not installed; those that are loaded already stay.

    Afterwards they can be imported as usual: by tracing where it is enabled, or by a custom processor.
    """
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        # For the import system None means "not found".
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in missing:
            sys.modules.pop(name)


def _fork_processes(service: Service, settings: "ServiceSettings") -> "Member":
    """Bind the port and fork the processes of a service, and return in each of them.

    Raises:
        OSError: the port cannot be used.
    """
    import gc

    from vestibule.service_kit.metrics.sharing import clear_shared
    from vestibule.service_kit.processes.group import ProcessGroup
    from vestibule.service_kit.processes.listeners import bind

    listeners = bind(settings.host, settings.port)
    clear_shared(settings.process_metrics_dir)
    # What is loaded stays, and to look for what of it is unused would copy its memory in each process.
    gc.collect()
    gc.freeze()
    count, drain_s, grace_s = settings.process_count, settings.shutdown_drain_s, settings.shutdown_grace_s
    member = ProcessGroup(listeners, count, drain_s, grace_s).run()
    # Not before, since Celery would set titles of its own if it found this package.
    from setproctitle import setproctitle

    setproctitle(f"vestibule serve {service.value}, process {member.name}")
    return member


def _note_replacement(member: "Member") -> None:
    if member.replaces is not None:
        from structlog import get_logger

        log = get_logger("vestibule.processes")
        log.warning("process_replaced", process=member.name, exit_reason=member.replaces)


def _parts_of(service: Service) -> "tuple[type[ServiceSettings], Callable[..., FastAPI]]":
    # Each service is imported only when it is the one that runs.
    match service:
        case Service.CLIENT:
            from vestibule.client_service import main as client
            from vestibule.client_service.settings import ClientSettings

            return ClientSettings, client.create_app
        case Service.DATABASE:
            from vestibule.database_service import main as database
            from vestibule.database_service.settings import DatabaseSettings

            return DatabaseSettings, database.create_app
        case Service.BUSINESS_LOGIC:
            from vestibule.business_logic_service import main as logic
            from vestibule.business_logic_service.settings import BusinessLogicSettings

            return BusinessLogicSettings, logic.create_app
        case Service.SCHEDULER:
            from vestibule.scheduler_service import main as scheduler
            from vestibule.scheduler_service.settings import SchedulerSettings

            return SchedulerSettings, scheduler.create_app
        case Service.CONSOLE:
            from vestibule.console import main as console
            from vestibule.console.settings import ConsoleSettings

            return ConsoleSettings, console.create_app


def _for_terminal() -> dict[str, Any]:
    return {
        "has_colour": not os.environ.get("NO_COLOR"),
        "least_level": os.environ.get(TERMINAL_LEVEL_VARIABLE, ""),
    }


def _refuse_secrets() -> None:
    """End where the Secret of the deployment was refused, before a setting is read that needs what it lacks."""
    # The console has a secret of its own, and not that of the services.
    secret = os.environ.get("VESTIBULE_SERVICE_SECRET_FILE") or os.environ.get("VESTIBULE_CONSOLE_SECRET_FILE")
    if secret and (refusal := Path(secret).with_name(REFUSAL)).exists():
        echo(f"vestibule: cannot start: {refusal.read_text()}", err=True)
        # Podman starts again at once what has failed.
        time.sleep(RESTARTED_AFTER_S)
        raise typer.Exit(os.EX_CONFIG)


def _refuse_dev_token(settings: "ServiceSettings") -> None:
    if not settings.embedded and "dev_token" in settings.model_fields_set:
        raise ValueError(
            "VESTIBULE_DEV_TOKEN is for `vestibule up` alone; make real tokens with `vestibule token create`"
        )
