"""A program that supervises a real Redis and stand-ins for the services, as `vestibule up` does with the real ones.

Arguments: DIRECTORY, then NAME:STAGE:PORT[:HABIT] for each stand-in.
"""

import asyncio
import os
import sys
from pathlib import Path

import structlog

from vestibule.cli.embedded.data_directory import DataDirectory, prepare_data_directory
from vestibule.cli.embedded.parts import Part, StopStage, plan_redis
from vestibule.cli.embedded.readiness import HttpReadiness
from vestibule.cli.embedded.redis_server import prepare_redis_server
from vestibule.cli.embedded.supervisor import StartFailed, Supervisor
from vestibule.cli.embedded.supervisor_log import SupervisorLog

STAND_IN = Path(__file__).with_name("stand_in_service.py")


def plan(description: str, directory: Path) -> Part:
    """Return the part that `description` stands for."""
    name, stage, port, *habit = description.split(":")
    return Part(
        name=name,
        command=(sys.executable, str(STAND_IN), name, port, str(directory / "ends"), *habit),
        environment={**os.environ, "VESTIBULE_PARENT_PID": str(os.getpid())},
        readiness=HttpReadiness("127.0.0.1", int(port)),
        stop_stage=StopStage[stage],
    )


async def main(directory: Path, descriptions: list[str]) -> int:
    """Run until told to stop."""
    data = DataDirectory(directory)
    prepare_data_directory(data)
    redis = plan_redis(prepare_redis_server(data))
    supervisor_log = SupervisorLog(sys.stdout, has_colour=False, shows_progress=True, open_log=structlog.get_logger)

    def when_failed(failure: StartFailed) -> None:
        supervisor_log.fail("start_failed", str(failure))

    parts = [plan(description, directory) for description in descriptions]
    supervisor = Supervisor([redis], parts, supervisor_log, ready_timeout_s=60)
    return await supervisor.run(lambda: supervisor_log.show("ALL READY"), when_failed)


sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2:])))
