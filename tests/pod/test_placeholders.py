"""The pod without its secrets, or with secrets that nobody filled in."""

import base64

import httpx
import pytest
import yaml

from containers.pod import PARTS, POD, PORTS, remove_all
from containers.podman import IMAGE, ROOT, Podman

REASON = "service_secret of the secret is not in the form"
# Each part says it at once, but the first takes a moment.
WITHIN_S = 60
ENDS_WITHIN_S = 30


@pytest.fixture(autouse=True)
def _cleared(podman: Podman, image: str):
    yield
    remove_all(podman)


def is_served(podman: Podman) -> bool:
    """Say whether a container of the pod but the first runs."""
    listed = podman("ps", "--filter", f"pod={POD}", "--format", "{{.Names}}").split()
    return any(name for name in listed if not name.endswith(("-infra", "-prepare")))


def answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
    except httpx.TransportError:
        return False
    return True


def test_it_does_not_start_without_its_secret(podman):
    """There is nothing that could be served."""
    done = podman.call("play", "kube", str(ROOT / "pod.yaml"))
    assert 0 != done.returncode
    assert "vestibule-secrets" in done.stderr
    assert not is_served(podman)


def test_every_part_says_that_a_secret_is_a_placeholder(podman, wait_until):
    """Each part says which secret it was, and nothing is served."""
    secret, _token = yaml.safe_load_all(podman("run", "--rm", IMAGE, "secrets", "create"))
    secret["data"]["service_secret"] = base64.b64encode(b"CHANGE_ME").decode()
    podman("play", "kube", "-", given=yaml.safe_dump(secret))
    podman("play", "kube", str(ROOT / "pod.yaml"), timeout_s=ENDS_WITHIN_S)

    def told(part: str) -> str:
        return podman.call("logs", f"{POD}-{part}").stderr

    for part in PARTS:
        if part != "redis":
            wait_until(lambda part=part: REASON in told(part), WITHIN_S, f"the reason in the log of {part}")
    assert [] == [port for port in PORTS if answers(port)]
