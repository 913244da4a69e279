"""Calls podman, the one that `make test-pod` was given."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/microsvc"
NEXT_IMAGE = f"{IMAGE}:tests-next"
BASE_IMAGE = "docker.io/library/python:3.13-slim"
CALL_TIMEOUT_S = 180
# On a new machine it loads and installs everything that the image holds.
BUILD_TIMEOUT_S = 1200


class Podman:
    """The program, and what tests ask of it."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def call(
        self, *words: str, timeout_s: float = CALL_TIMEOUT_S, given: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Return how a command ended, whatever that was."""
        return subprocess.run(
            [self.program, *words], capture_output=True, text=True, timeout=timeout_s, input=given, cwd=ROOT
        )

    def __call__(self, *words: str, timeout_s: float = CALL_TIMEOUT_S, given: str | None = None) -> str:
        """Return what a command prints; one that fails is a failure of the test."""
        done = self.call(*words, timeout_s=timeout_s, given=given)
        assert 0 == done.returncode, f"podman {' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()

    def read(self, *words: str) -> bytes:
        """Return the bytes that a command writes."""
        return subprocess.run([self.program, *words], capture_output=True, timeout=CALL_TIMEOUT_S, check=True).stdout

    def has(self, kind: str, name: str) -> bool:
        """Say whether there is a pod, container, volume or image of that name."""
        return self.call(kind, "exists", name).returncode == 0

    def build(self, tag: str, *options: str) -> None:
        """Build the image of this tree."""
        self("build", "--quiet", "-t", tag, *options, "-f", "Dockerfile", ".", timeout_s=BUILD_TIMEOUT_S)

    def tidy(self) -> None:
        """Remove what earlier builds of ours left; the last one stays, so that the next is quick."""
        self.call("rmi", NEXT_IMAGE)
        stages = self._unnamed("vestibule.stage=build")
        for image in [*self._unnamed("org.opencontainers.image.title=Vestibule"), *stages[1:]]:
            self.call("rmi", image)

    def _unnamed(self, label: str) -> list[str]:
        filters = ("--filter", "dangling=true", "--filter", f"label={label}")
        return self("images", "--quiet", "--sort", "created", *filters).split()

    def inspect(self, container: str, template: str) -> str:
        return self("inspect", "--format", template, container)

    def kill_9(self, container: str) -> None:
        """Kill the first process of a container as a fault would.

        `podman kill` would not do: what a person stopped is not started again.
        """
        pid = self.inspect(container, "{{.State.Pid}}")
        assert int(pid) > 1, f"{container} does not run"
        rootless: Sequence[str | Path] = [] if os.geteuid() == 0 else [self.program, "unshare"]
        subprocess.run([*rootless, "kill", "-9", pid], check=True, timeout=CALL_TIMEOUT_S)
