"""`vestibule keys secret`: rotates the secret that the services share, while they run."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vestibule.cli.http_client import fail
from vestibule.cli.keys.command import DataDir, SecretFile

# Services notice a change of the file within a second.
SETTLED_AFTER_S = 3.0


class RotationStep(StrEnum):
    """The steps of a rotation, in order; after each one every service needs the new file."""

    ADD = "add"
    USE = "use"
    DROP = "drop"


def secret(
    step: Annotated[
        list[RotationStep] | None,
        typer.Option(help="Only this step, for a file that is copied to other machines after each: add, use, drop."),
    ] = None,
    data_dir: DataDir = Path("var"),
    secret_file: SecretFile = None,
) -> None:
    """Rotate the services' secret while they run: add one that all accept, use it, drop the old one."""
    from vestibule.service_kit.auth.service_secret import ServiceSecretMissing, add_secret, drop_secret, use_secret

    path = secret_file or data_dir / "keys" / "service_secret"
    work = {RotationStep.ADD: add_secret, RotationStep.USE: use_secret, RotationStep.DROP: drop_secret}
    try:
        for index, one in enumerate(step or RotationStep):
            if index:
                time.sleep(SETTLED_AFTER_S)
            work[one](path)
            typer.echo(f"{one.value}: done")
    except (ServiceSecretMissing, OSError) as error:
        fail(str(error))
