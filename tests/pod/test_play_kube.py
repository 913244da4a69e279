"""The Deployments of deploy/kubernetes run in Podman, which knows neither StatefulSet nor Service."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers.compose import make_secrets
from containers.podman import IMAGE, Podman
from servers.manifests import KUBERNETES, Object, render

WITHIN_S = 120
# The others are of images that nobody has here.
DEPLOYED = ("business-logic", "worker")
Until = Callable[..., Any]


def adapted(deployment: Object, secrets: Path) -> Object:
    """Return the Deployment without what Podman 4.3 does differently.

    It publishes every port on the host, hands a Secret out as base64, and makes an `emptyDir` a volume of that name.
    """
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert ":" in container["image"]
    names = {volume["name"]: f"vestibule-tests-{container['name']}-{volume['name']}" for volume in spec["volumes"]}
    mounts = [{**mount, "name": names[mount["name"]]} for mount in container["volumeMounts"]]
    volumes = [{**volume, "name": names[volume["name"]]} for volume in spec["volumes"] if "emptyDir" in volume]
    volumes.append({"name": names["secrets"], "hostPath": {"path": str(secrets), "type": "Directory"}})
    changed = {**container, "image": IMAGE, "ports": [], "volumeMounts": mounts}
    template = {
        **deployment["spec"]["template"],
        "spec": {**spec, "containers": [changed], "volumes": volumes},
    }
    return {**deployment, "spec": {**deployment["spec"], "replicas": 1, "template": template}}


@pytest.fixture
def played(podman: Podman, image: str, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Plays the Deployment of that name and returns the name of its container."""
    secrets = make_secrets(podman, tmp_path)
    # The user of the container is another one; the folder above keeps the files.
    for path in (secrets, *secrets.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o444)
    tmp_path.chmod(0o711)
    rendered = render(KUBERNETES / "overlays" / "pod")
    pods: list[str] = []

    def play(name: str) -> str:
        objects = [rendered.one("ConfigMap", "vestibule-settings"), adapted(rendered.one("Deployment", name), secrets)]
        pods.append(f"{name}-pod-0")
        podman("play", "kube", "-", given=yaml.safe_dump_all(objects))
        return f"{name}-pod-0-{name}"

    yield play
    for pod in pods:
        podman.call("pod", "rm", "--force", "--time", "5", pod)


def test_the_deployments_that_podman_takes_run(played: Callable[[str], str], podman: Podman, wait_until: Until) -> None:
    """With their settings, mounts and restrictions; the worker says that there is no Redis, and goes on."""
    business_logic, worker = map(played, DEPLOYED)

    def is_ready() -> bool:
        return podman.call("exec", business_logic, "vestibule-probe", "/readyz").returncode == 0

    wait_until(is_ready, WITHIN_S, "readiness of the business logic service")
    for container in (business_logic, worker):
        assert "10001" == podman.inspect(container, "{{.Config.User}}").partition(":")[0]
        assert 0 != podman.call("exec", container, "touch", "/opt/x").returncode, "its root can be written to"
    wait_until(lambda: "Cannot connect" in podman.call("logs", worker).stdout, WITHIN_S, "the line that Redis is away")
    assert "true" == podman.inspect(worker, "{{.State.Running}}")
