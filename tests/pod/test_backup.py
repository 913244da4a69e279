"""Backup and restore of pod and compose, with the lines of docs/operations.md as they are typed."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from containers.compose import PROJECT, Compose, running_compose
from containers.deployed import Deployed
from containers.pod import POD, remove_all, running_pod
from containers.podman import ROOT, Podman
from servers import ports

OPERATIONS = ROOT / "docs" / "operations.md"
WITHIN_S = 240
Until = Callable[..., Any]


def documented(part: str) -> list[list[str]]:
    """Return the lines of each block of a part of the document: those that back up, and those that restore."""
    (text,) = re.findall(rf"^### {part}\n(.*?)^##", OPERATIONS.read_text(), re.MULTILINE | re.DOTALL)
    return [block.strip().splitlines() for block in re.findall(r"```\n(.*?)```", text, re.DOTALL)]


class Shell:
    """Types lines in a folder of its own, where `podman` and `podman-compose` are those of the tests."""

    def __init__(self, podman: Podman, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        (folder / "deploy").symlink_to(ROOT / "deploy")
        compose = [Path(sys.executable).parent / "podman-compose", "--podman-path", podman.program, "--parallel", "1"]
        for name, command in {"podman": [podman.program], "podman-compose": compose}.items():
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n')
            program.chmod(0o755)
        self._environment = {**os.environ, **variables, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}

    def type(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        assert 0 == done.returncode, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout


def expect_data_to_come_back(
    system: Deployed, shell: Shell, backup: list[str], restore: list[str], wait_until: Until
) -> None:
    """Type the lines of a backup, change the data, type those of the restore: all is as it was at the backup."""
    assert 200 == system.add("kept", "as it was").status_code
    for line in backup:
        shell.type(line)
    copy = (shell.folder / "vestibule-backup.db").read_bytes()
    assert copy.startswith(b"SQLite format 3\0")
    assert b"as it was" not in copy
    for key, value in {"kept": "changed", "later": "x"}.items():
        assert 200 == system.add(key, value).status_code
    for line in restore:
        shell.type(line)
    wait_until(system.is_ready, WITHIN_S, "readiness of the door after the restore")
    assert "as it was" == system.http.get("/read", params={"key": "kept"}).json()["value"]
    assert 404 == system.http.get("/read", params={"key": "later"}).status_code
    # It works, with the ledger of tasks too.
    task_id = system.http.post("/run", json={"key": "kept"}).json()["task_id"]
    assert "AS IT WAS" == system.http.get(f"/tasks/{task_id}", params={"wait": 30}).json()["result"]


@pytest.fixture
def pod(podman: Podman, image: str, tmp_path: Path, wait_until: Until) -> Iterator[Deployed]:
    with running_pod(podman, tmp_path, wait_until) as deployed:
        yield deployed
    remove_all(podman)


def test_the_pod(pod: Deployed, podman: Podman, tmp_path: Path, wait_until: Until) -> None:
    """While it runs, into a file of this host, and back from it."""
    backup, restore = documented("The pod")
    assert POD in restore[0]
    expect_data_to_come_back(pod, Shell(podman, tmp_path / "typed", {}), backup, restore, wait_until)


@pytest.fixture
def compose(podman: Podman, image: str, tmp_path: Path, wait_until: Until) -> Iterator[tuple[Deployed, Compose]]:
    with running_compose(podman, tmp_path, ports.free_row(3), wait_until) as running:
        yield running


def test_compose(compose: tuple[Deployed, Compose], podman: Podman, tmp_path: Path, wait_until: Until) -> None:
    """The same; the deployment of the tests has a project name of its own, which containers and volumes begin with."""
    system, program = compose
    shell = Shell(podman, tmp_path / "typed", {**program.variables, "COMPOSE_PROJECT_NAME": PROJECT})
    backup, restore = (
        [
            line.replace("vestibule_", f"{PROJECT}_").replace(
                "podman-compose ", f"podman-compose --project-name {PROJECT} "
            )
            for line in block
        ]
        for block in documented("Compose")
    )
    expect_data_to_come_back(system, shell, backup, restore, wait_until)
