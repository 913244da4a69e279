"""`vestibule up`: the command and its options."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from vestibule.cli.options import DATA_DIR, fail


def up(
    *,
    data_dir: Annotated[
        Path,
        typer.Option(
            envvar="VESTIBULE_DATA_DIR", help="Directory of the database, queue files, keys, logs and reports."
        ),
    ] = DATA_DIR,
    base_port: Annotated[
        int,
        typer.Option(
            envvar="VESTIBULE_BASE_PORT",
            min=1,
            max=65532,
            help="Port P of the client service; database P+1, business logic P+2, scheduler P+3.",
        ),
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(
            envvar="VESTIBULE_HOST", help="Address the client service listens on; the other parts stay on loopback."
        ),
    ] = "127.0.0.1",
    workers: Annotated[int, typer.Option(envvar="VESTIBULE_WORKERS", min=1, help="Number of worker processes.")] = 2,
    concurrency: Annotated[
        int, typer.Option(envvar="VESTIBULE_CONCURRENCY", min=1, help="Tasks that one worker runs at a time.")
    ] = 2,
    without_business_logic: Annotated[
        bool,
        typer.Option(
            "--without-business-logic",
            envvar="VESTIBULE_WITHOUT_BUSINESS_LOGIC",
            help="Do not start the business logic service.",
        ),
    ] = False,
) -> None:
    """Start everything on this machine and keep it running; Ctrl-C stops it.

    Exit codes: 0 shut down on request, 1 not started, 78 the data directory, the policy or a setting is invalid, 130
    killed by a second Ctrl-C.
    """
    from vestibule.cli.embedded import StartError
    from vestibule.cli.embedded.data_directory import DataDirectory
    from vestibule.cli.embedded.parts import Layout
    from vestibule.cli.embedded.wiring import launch

    started_at = time.monotonic()
    # The parts inherit all settings of the user.
    environment = dict(os.environ)
    layout = Layout(
        directory=DataDirectory(data_dir.expanduser().absolute()),
        host=host,
        base_port=base_port,
        worker_count=workers,
        concurrency=concurrency,
        has_business_logic=not without_business_logic,
        redis_url=environment.get("VESTIBULE_REDIS_URL", ""),
    )
    try:
        exit_code = launch(layout, environment, started_at)
    except StartError as error:
        fail(error, error.exit_code)
    raise typer.Exit(exit_code)
