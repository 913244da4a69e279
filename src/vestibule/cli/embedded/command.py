"""`vestibule up`: the command and its options."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from vestibule.cli.options import DATA_DIR, fail

Directory = Annotated[
    Path,
    typer.Option(envvar="VESTIBULE_DATA_DIR", help="Directory of the database, queue files, keys, logs and reports."),
]
BasePort = Annotated[
    int,
    typer.Option(
        envvar="VESTIBULE_BASE_PORT",
        min=1,
        max=65531,
        help="Port P of the client service; database P+1, business logic P+2, scheduler P+3, console P+4.",
    ),
]
Host = Annotated[
    str,
    typer.Option(
        envvar="VESTIBULE_HOST", help="Address the client service listens on; the other parts stay on loopback."
    ),
]
Workers = Annotated[int, typer.Option(envvar="VESTIBULE_WORKERS", min=1, help="Number of worker processes.")]
Concurrency = Annotated[
    int, typer.Option(envvar="VESTIBULE_CONCURRENCY", min=1, help="Tasks that one worker runs at a time.")
]
ClientProcesses = Annotated[
    int | None,
    typer.Option(
        envvar="VESTIBULE_CLIENT_PROCESSES",
        min=1,
        max=64,
        help="Processes of the client service; if unset, one for each two cores, at most 4, and 1 on macOS.",
        show_default=False,
    ),
]
WithoutBusinessLogic = Annotated[
    bool,
    typer.Option(
        "--without-business-logic",
        envvar="VESTIBULE_WITHOUT_BUSINESS_LOGIC",
        help="Do not start the business logic service.",
    ),
]
Console = Annotated[
    bool,
    typer.Option("--console/--no-console", envvar="VESTIBULE_CONSOLE", help="Start the web console for people."),
]
Prefork = Annotated[
    bool,
    typer.Option(
        "--prefork/--no-prefork",
        help="Fork the parts from one process that has loaded their code, where the system allows it; otherwise "
        "each loads its own, which takes longer and more memory.",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show every log line on the terminal, not warnings and errors alone."),
]


def up(
    *,
    data_dir: Directory = DATA_DIR,
    base_port: BasePort = 8000,
    host: Host = "127.0.0.1",
    workers: Workers = 2,
    concurrency: Concurrency = 2,
    client_processes: ClientProcesses = None,
    without_business_logic: WithoutBusinessLogic = False,
    console: Console = True,
    prefork: Prefork = True,
    verbose: Verbose = False,
) -> None:
    """Start everything on this machine and keep it running; Ctrl-C stops it.

    A terminal shows warnings and errors; `vestibule logs -f` shows all lines, which are in logs/app.log.

    Exit codes: 0 shut down on request, 1 not started, 78 the data directory, the policy or a setting is invalid, 130
    killed by a second Ctrl-C.
    """
    from vestibule.cli.embedded import StartError
    from vestibule.cli.embedded.data_directory import DataDirectory
    from vestibule.cli.embedded.parts import Layout, usual_client_processes
    from vestibule.cli.embedded.wiring import launch
    from vestibule.cli.program import TERMINAL_LEVEL_VARIABLE

    started_at = time.monotonic()
    # The parts inherit all settings of the user.
    environment = dict(os.environ)
    if not verbose:
        environment.setdefault(TERMINAL_LEVEL_VARIABLE, "warning")
    layout = Layout(
        directory=DataDirectory(data_dir.expanduser().absolute()),
        host=host,
        base_port=base_port,
        worker_count=workers,
        concurrency=concurrency,
        has_business_logic=not without_business_logic,
        redis_url=environment.get("VESTIBULE_REDIS_URL", ""),
        has_console=console,
        is_forking=prefork,
        client_processes=client_processes or usual_client_processes(),
    )
    try:
        exit_code = launch(layout, environment, started_at)
    except StartError as error:
        fail(error, error.exit_code)
    raise typer.Exit(exit_code)
