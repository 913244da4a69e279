"""Renders deploy/kubernetes as a cluster would be given it, and finds one's way in what comes out."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
PARTS = ("client", "database", "business-logic", "scheduler", "console", "worker")
COMPONENT = "app.kubernetes.io/component"
Object = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The objects of one overlay."""

    objects: list[Object]

    def of(self, *kinds: str) -> list[Object]:
        """Return the objects of those kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """Return the object of that kind whose name is `name`, or that with the hash of its content behind it."""
        found = [one for one in self.of(kind) if one["metadata"]["name"] in {name, _whole(one, name)}]
        assert len(found) == 1, f"{kind} {name}"
        return found[0]

    def workloads(self) -> list[Object]:
        """Return everything that makes pods; of a CronJob the Job that it makes, with its name."""
        jobs = [{**one, "spec": one["spec"]["jobTemplate"]["spec"]} for one in self.of("CronJob")]
        return self.of("Deployment", "StatefulSet", "DaemonSet", "Job") + jobs

    def pod(self, component: str) -> Object:
        """Return the template of the pods of a component."""
        found = [one["spec"]["template"] for one in self.workloads() if _component(one) == component]
        assert len(found) == 1, component
        template: Object = found[0]
        return template

    def settings(self, component: str) -> dict[str, str]:
        """Return the variables that the container of a component gets, but for those that come from elsewhere."""
        container = self.pod(component)["spec"]["containers"][0]
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}


def containers(pod: Object) -> Iterator[Object]:
    """Yield every container of a pod's template, those that only prepare included."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def render_with(folder: Path, overlay: str, *components: str) -> Rendered:
    """Return what an overlay of somebody's own in `folder` makes of one of ours with further components."""
    lists = {"resources": [f"overlays/{overlay}"], "components": [f"components/{name}" for name in components]}
    placed = {kind: [os.path.relpath(KUBERNETES / path, folder) for path in paths] for kind, paths in lists.items()}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({**placed, "namespace": "vestibule"}))
    return render(folder)


@cache
def render(folder: Path) -> Rendered:
    """Return what kustomize makes of a folder; skip where there is neither kubectl nor kustomize."""
    if program := shutil.which("kubectl"):
        command = [program, "kustomize", str(folder)]
    elif program := shutil.which("kustomize"):
        command = [program, "build", str(folder)]
    else:
        pytest.skip("needs kubectl or kustomize")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == ended.returncode, ended.stderr
    return Rendered([one for one in yaml.safe_load_all(ended.stdout) if one])


def _whole(one: Object, name: str) -> str:
    # A generated name is the name, a dash and ten characters.
    whole: str = one["metadata"]["name"]
    return whole if whole[:-11] == name and whole[-11] == "-" else ""


def _component(workload: Object) -> str:
    return str(workload["spec"]["template"]["metadata"]["labels"].get(COMPONENT, ""))
