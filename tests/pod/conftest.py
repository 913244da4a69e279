"""What the tests of deployments share. They run where `make test-pod` names a podman, and are skipped elsewhere."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Before they are imported, so that their asserts say what they saw.
pytest.register_assert_rewrite("containers", "journeys")

from containers.deployed import RUNNING  # noqa: E402
from containers.leftovers import leaving_nothing  # noqa: E402
from containers.podman import IMAGE, Podman  # noqa: E402

PROGRAM = os.environ.get("VESTIBULE_TEST_PODMAN", "")
HERE = Path(__file__).parent
# The first of them waits for the image, which takes minutes to build where nothing is there yet.
LONGEST_TEST_S = 1500
LONGEST_STATE = 60_000


class SkippedModule(pytest.Module):
    """Says once for all of its tests why they are skipped."""

    def collect(self) -> Iterator[pytest.Item]:
        pytest.skip("starts containers: make test-pod", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return None if PROGRAM else SkippedModule.from_parent(parent, path=module_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.pod)
            item.add_marker(pytest.mark.timeout(LONGEST_TEST_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    if report.failed and HERE in item.path.parents:
        for deployed in RUNNING:
            report.sections.append(("containers and what they said", deployed.state()[-LONGEST_STATE:]))
    return report


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """The podman of these tests, on a machine where nothing is in their way; nothing of them stays."""
    program = Podman(Path(PROGRAM).resolve() if "/" in PROGRAM else Path(PROGRAM))
    with leaving_nothing(program):
        yield program


@pytest.fixture(scope="session")
def image(podman: Podman) -> str:
    """The image of this tree."""
    podman.build(IMAGE)
    return IMAGE


@pytest.fixture(scope="module")
def as_caller() -> Iterator[Callable[[str], None]]:
    """Gives the command line the token of a deployment."""
    with pytest.MonkeyPatch.context() as patch:
        yield lambda token: patch.setenv("VESTIBULE_TOKEN", token)
