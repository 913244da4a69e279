"""The pod without its secrets, or with secrets that nobody filled in."""

import base64

import pytest
import yaml

from containers.pod import POD, remove_all
from containers.podman import IMAGE, ROOT, Podman


@pytest.fixture(autouse=True)
def _cleared(podman: Podman, image: str):
    yield
    remove_all(podman)


def is_served(podman: Podman) -> bool:
    """Say whether a container of the pod but the first runs."""
    listed = podman("ps", "--filter", f"pod={POD}", "--format", "{{.Names}}").split()
    return any(name for name in listed if not name.endswith(("-infra", "-prepare")))


def test_it_does_not_start_without_its_secret(podman):
    """There is nothing that could be served."""
    done = podman.call("play", "kube", str(ROOT / "pod.yaml"))
    assert 0 != done.returncode
    assert "vestibule-secrets" in done.stderr
    assert not is_served(podman)


def test_it_does_not_start_with_placeholders(podman):
    """The first container ends the start, and says which secret it was."""
    secret, _token = yaml.safe_load_all(podman("run", "--rm", IMAGE, "secrets", "create"))
    secret["data"]["service_secret"] = base64.b64encode(b"CHANGE_ME").decode()
    podman("play", "kube", "-", given=yaml.safe_dump(secret))
    assert 0 != podman.call("play", "kube", str(ROOT / "pod.yaml")).returncode
    assert not is_served(podman)
    told = podman.call("logs", f"{POD}-prepare").stderr
    assert "service_secret of the secret is not in the form" in told
