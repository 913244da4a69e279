"""Writes a plan as files: an overlay of kustomize over deploy/kubernetes, or the variables of deploy/compose.yaml."""

import os
from pathlib import Path

from vestibule.cli.plan.sizing import TASKS_AT_ONCE, Sizing, Tier

HEAD = "# Written by `vestibule plan --connections {connections}`; plan.txt beside it has the arithmetic.\n"


def kustomization(sizing: Sizing, base: Path, folder: Path, image: str) -> str:
    """Return the overlay in `folder` over that of the tier in `base`."""
    below = os.path.relpath(base / "overlays" / sizing.tier, folder)
    lines = [
        HEAD.format(connections=sizing.demand.connections).rstrip(),
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        f"resources: [{below}]",
    ]
    if image:
        lines += ["images:", f"  - {{name: {_image_of(sizing.tier)}, {_image(image)}}}"]
    counted = _counted(sizing)
    lines += ["replicas:", *(f"  - {{name: {part}, count: {sizing.need(part).count}}}" for part in counted)]
    if sizing.tier is Tier.CLUSTER:
        lines += ["patches:", *_scalers(sizing)]
    return "\n".join(lines) + "\n"


def compose_variables(sizing: Sizing, image: str) -> str:
    """Return the file of variables that deploy/compose.yaml takes its numbers from."""
    lines = [HEAD.format(connections=sizing.demand.connections).rstrip()]
    lines += [f"CLIENTS={sizing.need('client').count}", f"WORKERS={sizing.need('worker').count}"]
    return "\n".join([*lines, *([f"IMAGE={image}"] if image else [])]) + "\n"


def _counted(sizing: Sizing) -> tuple[str, ...]:
    # In the cluster clients and workers are counted by their scalers; with SQLite there is one database service.
    return ("database", "business-logic", "scheduler") if sizing.tier is Tier.CLUSTER else ("client", "worker")


def _image_of(tier: Tier) -> str:
    return "registry.example.org/vestibule" if tier is Tier.CLUSTER else "localhost/microsvc"


def _image(image: str) -> str:
    # A colon before the last slash is that of a port.
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return f"newName: {image}"
    return f'newName: {name}, newTag: "{tag}"'


def _scalers(sizing: Sizing) -> list[str]:
    client, worker = sizing.need("client"), sizing.need("worker")
    return [
        *_patch("HorizontalPodAutoscaler", "client", minReplicas=client.count, maxReplicas=client.most),
        *_patch("ScaledObject", "worker", minReplicaCount=worker.count, maxReplicaCount=worker.most),
        "  - target: {kind: ScaledObject, name: worker}",
        "    patch: |",
        f"      - {{op: replace, path: /spec/fallback/replicas, value: {worker.most}}}",
        "  - target: {kind: Deployment, name: worker}",
        "    patch: |",
        "      - {op: replace, path: /spec/template/spec/containers/0/args/4, value: " + f'"{TASKS_AT_ONCE}"' + "}",
    ]


def _patch(kind: str, name: str, **values: int) -> list[str]:
    return [
        f"  - target: {{kind: {kind}, name: {name}}}",
        "    patch: |",
        *(f"      - {{op: replace, path: /spec/{field}, value: {value}}}" for field, value in values.items()),
    ]
