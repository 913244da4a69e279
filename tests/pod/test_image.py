"""The image: small, without tools to build with, and content with very few rights."""

import json

import pytest

from containers.podman import BASE_IMAGE, ROOT, Podman

LARGEST_BYTES = 250_000_000
HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none")
COMPILERS = ("cc", "gcc", "g++", "clang", "make", "ld", "rustc", "go", "uv")


@pytest.fixture(scope="module")
def described(podman: Podman, image: str) -> dict[str, object]:
    """What podman knows of the image."""
    (found,) = json.loads(podman("image", "inspect", image))
    return dict(found)


def test_it_is_small(podman, image, described):
    """Vestibule and all that it needs add less than 250 MB to the base."""
    base = int(podman("image", "inspect", "--format", "{{.Size}}", BASE_IMAGE))
    assert described["Size"] - base < LARGEST_BYTES


def test_it_says_what_it_is_and_who_it_is(podman, described):
    """It has labels, its own user, a place for data and a signal to stop by."""
    configuration = described["Config"]
    assert "10001:10001" == configuration["User"]
    assert ["vestibule"] == configuration["Entrypoint"]
    assert {"/var/lib/vestibule": {}} == configuration["Volumes"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in described["Labels"].items()}
    assert ("Vestibule", "Apache-2.0") == (labels["title"], labels["licenses"])
    assert labels["version"]


def test_it_has_a_health_check_where_the_format_takes_one(podman, image):
    """Docker's format has health checks; the other one, which podman builds by default, has none."""
    (line,) = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("HEALTHCHECK")]
    tag = f"{image}:tests-docker-format"
    podman("build", "--quiet", "--format", "docker", "-t", tag, "-f", "-", given=f"FROM {image}\n{line}\n")
    try:
        check = json.loads(podman("image", "inspect", "--format", "{{json .HealthCheck}}", tag))
        assert ["CMD", "vestibule-probe"] == check["Test"]
    finally:
        podman("rmi", tag)


def test_it_has_nothing_to_build_with(podman, image):
    """What gets in finds no compiler."""
    looking = f"for name in {' '.join(COMPILERS)}; do command -v $name; done; echo looked"
    assert "looked" == podman("run", "--rm", *HARDENED, "--entrypoint=sh", image, "-c", looking)


def test_it_runs_with_no_rights_and_nothing_to_write_to(podman, image):
    """Every part is ready to start from a read-only root, without a capability, as a user who is not root."""
    user = podman("run", "--rm", *HARDENED, "--entrypoint=id", image, "-u")
    assert "10001" == user
    version = podman("run", "--rm", *HARDENED, image, "--version")
    assert version.startswith("vestibule ")
    for service in ("client", "database", "business-logic", "scheduler", "console"):
        done = podman.call("run", "--rm", *HARDENED, image, "serve", service)
        assert (78, "cannot start") == (done.returncode, done.stderr.strip()[11:23]), done.stderr


def test_it_is_built_from_what_is_locked():
    """The build takes wheels by hash alone, and sees nothing of the tree but what it needs."""
    steps = (ROOT / "Dockerfile").read_text()
    installs = [step for step in steps.replace("\\\n", " ").split("&&") if "pip install" in step]
    assert installs
    assert [] == [step for step in installs if "--require-hashes" not in step and "--no-deps" not in step]
    assert "*" == (ROOT / ".dockerignore").read_text().splitlines()[0]
