"""Creates the program, and the commands that run one part of the system in the foreground: serve and worker."""

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

from vestibule.cli.options import REFUSAL, echo, exit_on, fail
from vestibule.cli.setting_names import warn_of_unknown_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from vestibule.service_kit.settings import ServiceSettings

RUN = "Run Vestibule"
RESTARTED_AFTER_S = 10.0
# Optional packages that libraries import where they are installed, and that the services do not use: structlog imports
# the printer of coloured tracebacks, redis the SDK of OpenTelemetry and with it psutil, kombu the YAML parser.
# Together they take 6 MB of a service, and a tenth of its start.
UNUSED = ("rich", "opentelemetry.sdk", "psutil", "yaml")


class Service(StrEnum):
    """The services by the names that the command line uses."""

    CLIENT = "client"
    DATABASE = "database"
    BUSINESS_LOGIC = "business-logic"
    SCHEDULER = "scheduler"


def create_program() -> typer.Typer:
    """Return the program; commands are for the caller to add."""
    program = typer.Typer(
        name="vestibule",
        help="Intake service for data: checks everything that comes in for personal data and secrets.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    program.callback()(_take_options)
    return program


def add_parts(program: typer.Typer) -> None:
    """Add what runs a part of the system."""
    program.command("serve", rich_help_panel=RUN)(serve)
    program.command("worker", rich_help_panel=RUN)(worker)


def serve(service: Annotated[Service, typer.Argument(help="Which service to run.")]) -> None:
    """Run one service in the foreground. Its options are environment variables: see `vestibule config`."""
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
        configure_logging(service.value.replace("-", "_"), settings, has_colour=_has_colour())
        app = create_app(settings)
    try:
        run_server(app, settings)
    except SystemExit:
        if refusal := frame_of(app).refusal:
            fail(f"cannot start: {refusal}", os.EX_CONFIG)
        raise


def worker(
    name: Annotated[
        str, typer.Option(help="Name in logs and in the queue; %h is the name of the host, or of the container.")
    ] = "worker1",
    concurrency: Annotated[int, typer.Option(min=1, help="Tasks that it runs at a time.")] = 2,
) -> None:
    """Run one Celery worker in the foreground. Its options are environment variables: see `vestibule config`."""
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
    exit_code = run_worker(
        name, concurrency, settings, app, ready_file=ready_file, on_fork=on_fork, has_colour=_has_colour()
    )
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


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from vestibule import __version__

        echo(f"vestibule {__version__}")
        raise typer.Exit


def _take_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before every command."""
    warn_of_unknown_settings(os.environ)


def _parts_of(service: Service) -> "tuple[type[ServiceSettings], Callable[[Any], FastAPI]]":
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


def _has_colour() -> bool:
    return not os.environ.get("NO_COLOR")


def _refuse_secrets() -> None:
    """End where the Secret of the deployment was refused, before a setting is read that needs what it lacks."""
    secret = os.environ.get("VESTIBULE_SERVICE_SECRET_FILE")
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
