"""What the pod is under every Podman from 4.3 on: its secrets, its volumes, a stop and a start, and a frozen part."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from containers.deployed import Deployed
from containers.pod import PARTS, POD, is_well, running_pod
from containers.podman import ROOT, Podman
from vestibule.cli.commands.deployment_secrets import PART_SECRETS

FILE = str(ROOT / "pod.yaml")
WITHIN_S = 180
KEPT = {"vestibule-data", "vestibule-redis", "vestibule-secrets"}
# From here on Podman acts on a probe that fails.
RESTARTS_THE_FROZEN = 5
FAILURES = 3
Until = Callable[..., Any]


@pytest.fixture(scope="module", name="system")
def _system(
    podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory, wait_until: Until
) -> Iterator[Deployed]:
    with running_pod(podman, tmp_path_factory.mktemp("pod"), wait_until) as deployed:
        yield deployed


def volumes(podman: Podman, part: str) -> dict[str, str]:
    """Return which volume of the host is mounted where in a part."""
    listed = podman.inspect(f"{POD}-{part}", "{{range .Mounts}}{{.Name}} {{.Destination}}\n{{end}}")
    pairs = [line.split() for line in listed.splitlines() if line.strip()]
    return {pair[-1]: pair[0] for pair in pairs if len(pair) == 2}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_reads_its_own_secrets_alone(system, podman, part):
    """Nobody else in the container reads them, and what was mounted to prepare them is not there."""
    kind = part.rstrip("12")
    shown = podman("exec", f"{POD}-{part}", "sh", "-c", "cd /run/secrets && stat -c '%a %n' */* && ls -d /run/*")
    files, folders = [line for line in shown.splitlines() if "/run" not in line], "/run/mounted-secrets"
    assert {f"600 vestibule/{name}" for name in PART_SECRETS[kind]} == set(files)
    assert folders not in shown


def test_no_other_pod_meets_its_volumes(system, podman):
    """What has a name that every pod of this host would share is named for this pod, or is kept on purpose."""
    found = {name for part in PARTS for name in volumes(podman, part).values()}
    unnamed = {name for name in found if len(name) == 64}
    assert set() == {name for name in found - unnamed - KEPT if not name.startswith(f"{POD}-")}
    writable = [volumes(podman, part).get("/tmp") for part in PARTS]
    named = [name for name in writable if name]
    assert len(named) == len(set(named))


def test_it_stops_and_starts_with_all_that_it_had(system, podman, wait_until):
    """Its first container installs the secrets again."""
    system.add("kept", "over a stop")
    podman("pod", "stop", POD)
    podman("pod", "start", POD)
    wait_until(lambda: is_well(podman) and system.is_ready(), WITHIN_S, "the second start")
    assert "over a stop" == system.http.get("/read", params={"key": "kept"}).json()["value"]


def test_a_frozen_part_is_told_of_and_started_again_where_podman_can(system, podman, wait_until):
    """The alert `ServiceDown` says it under every Podman; Podman 5 acts on its probes too, which systemd calls."""
    container = f"{POD}-business-logic"
    started_at = podman.inspect(container, "{{.State.StartedAt}}")
    wait_until(lambda: podman.call("healthcheck", "run", container).returncode == 0, WITHIN_S, "a good probe")
    pid = int(podman.inspect(container, "{{.State.Pid}}"))
    send(podman, pid, signal.SIGSTOP)
    try:
        wait_until(lambda: system.reports("ServiceDown"), WITHIN_S, "the alert")
        if int(podman("version", "--format", "{{.Client.Version}}").split(".")[0]) >= RESTARTS_THE_FROZEN:
            failed = [podman.call("healthcheck", "run", container).returncode for _ in range(FAILURES)]
            assert [1] * FAILURES == failed
            wait_until(lambda: podman.inspect(container, "{{.State.StartedAt}}") != started_at, WITHIN_S, "the restart")
    finally:
        if podman.inspect(container, "{{.State.Pid}}") == str(pid):
            send(podman, pid, signal.SIGCONT)
    wait_until(lambda: is_well(podman) and system.is_ready(), WITHIN_S, "the health of every container")


def send(podman: Podman, pid: int, number: signal.Signals) -> None:
    rootless = [] if os.geteuid() == 0 else [podman.program, "unshare"]
    subprocess.run([*rootless, "kill", f"-{number.value}", str(pid)], check=True, timeout=60)


def of_the_unit(directive: str) -> list[str]:
    """Return the words after `podman` of a line of the unit for systemd, with this tree's file."""
    unit = (ROOT / "deploy" / "systemd" / "vestibule-pod.service").read_text()
    (line,) = re.findall(rf"^{directive}=-?/usr/bin/podman (.+)$", unit, re.MULTILINE)
    return line.replace("/etc/vestibule/pod.yaml", FILE).split()


def test_it_leaves_with_its_volumes_and_comes_back_with_the_data(system, podman, wait_until):
    """By the lines of the unit for systemd, then by those that Podman makes of the quadlet file."""

    def leaves() -> None:
        assert not podman.has("pod", POD)
        left = podman("volume", "ls", "--format", "{{.Name}}").split()
        assert [] == [name for name in left if name.startswith(POD)]

    def is_back() -> None:
        wait_until(lambda: is_well(podman) and system.is_ready(), WITHIN_S, "the next start")
        assert "over a stop" == system.http.get("/read", params={"key": "kept"}).json()["value"]

    # As after a power cut, where what there was of the pod is in the way.
    for directive in ("ExecStartPre", "ExecStart"):
        podman(*of_the_unit(directive))
    is_back()
    for directive in ("ExecStop", "ExecStopPost"):
        podman(*of_the_unit(directive))
    leaves()
    podman("kube", "play", "--replace", "--service-container=true", FILE)
    is_back()
    podman("kube", "down", FILE)
    leaves()
