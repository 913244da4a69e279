"""Starts the replicas of `deploy/compose.yaml` with podman-compose, under names and ports of their own."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from containers.deployed import RUNNING, Deployed
from containers.podman import IMAGE, ROOT, Podman

FILE = ROOT / "deploy" / "compose.yaml"
PROJECT = "vestibule-tests"
READY_WITHIN_S = 240
# It may wait for a container to end, which has 40 s for that.
CALL_TIMEOUT_S = 400
Until = Callable[..., Any]


@dataclass
class Compose:
    """The program with its file, and the variables that this deployment sets."""

    podman: Podman
    ports: Sequence[int]
    secrets: Path
    image: str = IMAGE
    program: Path = field(default=Path(sys.executable).parent / "podman-compose")

    @property
    def variables(self) -> dict[str, str]:
        port, scheduler_port, console_port = map(str, self.ports)
        own = {"PORT": port, "SCHEDULER_PORT": scheduler_port, "CONSOLE_PORT": console_port}
        return {**own, "SECRETS": str(self.secrets), "IMAGE": self.image}

    @property
    def command(self) -> list[str | Path]:
        """What it is called by; with one call of podman at a time, since not every podman bears several."""
        return [self.program, "--podman-path", self.podman.program, "--parallel", "1"]

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self.command, "--project-name", PROJECT, "-f", FILE, *words],
            capture_output=True,
            text=True,
            timeout=CALL_TIMEOUT_S,
            env={**os.environ, **self.variables},
        )
        assert 0 == done.returncode, f"podman-compose {' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def containers(self, service: str = "") -> list[str]:
        """Return the names of those that run, of one service or of all."""
        wanted = ["--filter", f"label=io.podman.compose.project={PROJECT}"]
        wanted += ["--filter", f"label=com.docker.compose.service={service}"] if service else []
        return sorted(self.podman("ps", *wanted, "--format", "{{.Names}}").split())

    def is_well(self, service: str) -> bool:
        """Ask the probe of every container of a service, of which there has to be one."""
        found = self.containers(service)
        return bool(found) and all(self.podman.call("healthcheck", "run", name).returncode == 0 for name in found)


def make_secrets(podman: Podman, folder: Path) -> Path:
    """Make the files with the documented command and return their folder."""
    with tarfile.open(
        fileobj=io.BytesIO(podman.read("run", "--rm", IMAGE, "secrets", "create", "--format", "tar"))
    ) as made:
        made.extractall(folder, filter="tar")
    return folder / "secrets"


@contextmanager
def running_compose(
    podman: Podman, folder: Path, ports: Sequence[int], wait_until: Until
) -> Iterator[tuple[Deployed, Compose]]:
    """Run the replicas meanwhile."""
    secrets = make_secrets(podman, folder)
    compose = Compose(podman, ports, secrets)
    token = (secrets / "token").read_text()
    deployed = Deployed(podman, ports, token, folder, compose.containers, lambda: compose.containers("scheduler")[0])
    RUNNING.append(deployed)
    try:
        compose("up", "--detach")
        wait_until(deployed.is_ready, READY_WITHIN_S, "readiness of the door")
        yield deployed, compose
    finally:
        RUNNING.remove(deployed)
        compose("down", "--volumes", "--timeout", "10")
