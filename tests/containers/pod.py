"""Starts the pod of `pod.yaml`, just as the README says, and takes away what it made."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from containers.deployed import RUNNING, Deployed
from containers.podman import IMAGE, ROOT, Podman
from servers.ports import is_free

POD = "microservices-pod"
VOLUMES = ("vestibule-data", "vestibule-secrets", "vestibule-redis")
SECRETS = ("vestibule-secrets", "vestibule-secrets-token")
PORTS = (8000, 8001, 8002, 8003, 8004)
METRICS_PORTS = {"worker1": 9101, "worker2": 9102}
PROBES = {
    "redis": ("sh", "/etc/vestibule/ping.sh"),
    "database": ("vestibule-probe", "/readyz"),
    "business-logic": ("vestibule-probe", "/readyz"),
    "client": ("vestibule-probe", "/readyz"),
    "scheduler": ("vestibule-probe", "/readyz"),
    "console": ("vestibule-probe", "/readyz"),
    "worker1": ("vestibule-probe", "/var/lib/vestibule/run/worker1.ready"),
    "worker2": ("vestibule-probe", "/var/lib/vestibule/run/worker2.ready"),
}
PARTS = tuple(PROBES)
READY_WITHIN_S = 180
Until = Callable[..., Any]


def refuse_where_one_is(podman: Podman) -> None:
    """Fail before anything is touched where a pod of somebody's own would be in the way, or only its data.

    The names are those of `pod.yaml`; what has them may hold what somebody needs.
    """
    there = [name for name in (POD,) if podman.has("pod", name)]
    there += [f"the volume {name}" for name in VOLUMES if podman.has("volume", name)]
    there += [f"the secret {name}" for name in _secrets(podman)]
    there += [f"port {port}" for port in (*PORTS, *METRICS_PORTS.values()) if not is_free(port)]
    assert [] == there, (
        f"not tested, since this machine has {', '.join(there)} already, which may be of use to somebody"
    )


def containers(podman: Podman) -> list[str]:
    listed = podman("ps", "--all", "--filter", f"pod={POD}", "--format", "{{.Names}}").split()
    return sorted(name for name in listed if not name.endswith("-infra"))


def make_secrets(podman: Podman) -> str:
    """Make the Secrets with the documented command and return the token for callers."""
    made = podman("run", "--rm", IMAGE, "secrets", "create")
    podman("play", "kube", "-", given=made)
    (token,) = list(yaml.safe_load_all(made))[1]["data"].values()
    return base64.b64decode(token).decode()


def start_pod(podman: Podman, wait_until: Until) -> None:
    podman("play", "kube", str(ROOT / "pod.yaml"))
    wait_until(lambda: is_well(podman), READY_WITHIN_S, "the health of every container")


def is_well(podman: Podman) -> bool:
    """Ask every part, beside podman's own health checks: asked so often, those would end a part that still starts."""
    return all(podman.call("exec", f"{POD}-{part}", *probe).returncode == 0 for part, probe in PROBES.items())


def remove_pod(podman: Podman) -> None:
    podman("pod", "rm", "--force", POD)


def remove_all(podman: Podman) -> None:
    """Take away the pod with its data and secrets."""
    podman.call("pod", "rm", "--force", POD)
    podman.call("volume", "rm", "--force", *VOLUMES)
    for name in _secrets(podman):
        podman("secret", "rm", name)


@contextmanager
def running_pod(podman: Podman, folder: Path, wait_until: Until) -> Iterator[Deployed]:
    """Run the pod meanwhile."""
    token = make_secrets(podman)
    deployed = Deployed(podman, PORTS, token, folder, lambda: containers(podman), lambda: f"{POD}-scheduler")
    RUNNING.append(deployed)
    try:
        start_pod(podman, wait_until)
        wait_until(deployed.is_ready, READY_WITHIN_S, "readiness of the door")
        yield deployed
    finally:
        RUNNING.remove(deployed)
        # The next one makes secrets of its own, which do not open this one's data.
        remove_all(podman)


def _secrets(podman: Podman) -> list[str]:
    return [name for name in podman("secret", "ls", "--format", "{{.Name}}").split() if name in SECRETS]
