"""The workflows that a fork runs are as safe as they can be, and run what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def test_an_auditor_finds_nothing() -> None:
    """zizmor, at its strictest and without the network, has no finding."""
    command = [Path(sys.executable).parent / "zizmor", "--offline", "--pedantic", "--no-progress", ROOT / ".github"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert WORKFLOWS


@every_workflow
def test_every_action_is_pinned(workflow: Path) -> None:
    """What others wrote is named by the hash of its commit, with the version that it is beside it."""
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert [] == [one for one in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)]


@every_workflow
def test_nobody_may_more_than_he_needs(workflow: Path) -> None:
    """A workflow has no permission of its own, and a job that a pull request starts may only read."""
    content = yaml.safe_load(workflow.read_text())
    assert {} == content["permissions"]
    for name, job in content["jobs"].items():
        assert job["timeout-minutes"], name
        if job.get("if") != "github.event_name == 'push'":
            assert {"contents": "read"} == job["permissions"], name


@every_workflow
def test_what_is_run_exists(workflow: Path) -> None:
    """Each script and each target of make is there."""
    makefile = (ROOT / "Makefile").read_text()
    steps = [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]
    assert steps
    for command in (step["run"] for step in steps if "run" in step):
        for target in re.findall(r"^make ([a-z-]+)", command, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        for script in re.findall(r"^(\.[a-z]+/[a-z-]+)", command, re.MULTILINE):
            assert (ROOT / script).exists()


def test_every_overlay_is_applied_to_a_cluster() -> None:
    """One job for each, with the versions that the schemas of the tests are of."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "cluster.yml").read_text())
    overlays = {path.name for path in (ROOT / "deploy" / "kubernetes" / "overlays").iterdir()} | {"logging"}
    assert overlays == set(workflow["jobs"]["overlay"]["strategy"]["matrix"]["overlay"])
    script = (ROOT / ".ci" / "kind").read_text()
    ended = subprocess.run(["bash", "-n", ROOT / ".ci" / "kind"], capture_output=True, text=True)
    assert (0, "") == (ended.returncode, ended.stderr)
    sources = (ROOT / "tests" / "house" / "schemas" / "README.md").read_text()
    used = re.search(r"envoy_gateway=v(\S+) keda=(\S+) prometheus_operator=v(\S+)", script)
    assert used is not None
    assert all(version in sources for version in used.groups())
