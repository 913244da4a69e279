"""`vestibule plan`: the command, its output, and the files of a plan for kustomize or compose."""

import json
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame.noun import with_examples
from vestibule.cli.options import AsJson, echo, fail

if TYPE_CHECKING:
    from vestibule.cli.plan_sizing import Figures, Sizing

TASK_SHARE = 0.3
# The tier whose clients and workers are scaled automatically.
CLUSTER, CLUSTER_PLAIN = "cluster", "cluster-plain"
HEAD = "# Written by `vestibule plan --connections {connections}`; plan.txt beside it has the calculation."
COMPOSE_LIMITS = (
    "With compose everything is on one host and ends with it: one balancer, one Redis, one database service (SQLite).",
    "Nothing is scaled by load, and database, scheduler and Redis are away for seconds while they are replaced;",
    "clients and workers are replaced one by one with deploy/roll. For more take --target kubernetes.",
)
COMPOSE_VARIABLES, KUSTOMIZATION, REPORT = "compose.env", "kustomization.yaml", "plan.txt"


class PlanFormat(StrEnum):
    """The target of the manifests."""

    COMPOSE = "compose"
    KUBERNETES = "kubernetes"
    # Without the Gateway API and KEDA.
    KUBERNETES_PLAIN = "kubernetes-plain"


@with_examples(
    "vestibule plan --connections 200", "vestibule plan --connections 1000000 --pace 0.1 --tasks-per-s 30000 --json"
)
def plan(
    connections: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Concurrent connections, each with one request at a time.")
    ],
    tasks_per_s: Annotated[
        float | None, typer.Option(min=0, help="Tasks a second. [default: 30% of the requests]")
    ] = None,
    pace: Annotated[float, typer.Option(min=0.001, max=1000, help="Requests that a connection sends a second.")] = 5,
    target: Annotated[PlanFormat, typer.Option(help="Target of the manifests.")] = PlanFormat.KUBERNETES,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write the manifests into; only the calculation is printed if not given."),
    ] = None,
    base: Annotated[Path, typer.Option(help="The folder `deploy` of a checkout.")] = Path("deploy"),
    image: Annotated[str, typer.Option(help="Container image, as NAME:TAG.")] = "",
    as_json: AsJson = False,
) -> None:
    """Calculate how many of each part a load needs, and write the manifests for it."""
    from vestibule.cli.plan_sizing import Demand, read_figures, size

    requests = connections * pace
    tasks = TASK_SHARE * requests if tasks_per_s is None else tasks_per_s
    if tasks > requests:
        reason = f"{connections:,} connections at a pace of {pace:g} start no more tasks than {requests:,.0f} a second"
        raise typer.BadParameter(reason, param_hint="--tasks-per-s")
    figures = read_figures()
    sizing = size(Demand(connections, pace, tasks), figures)
    if target is PlanFormat.COMPOSE and (sizing.cells > 1 or sizing.need("database").cores > 1):
        reason = "the load is too high for one database service with SQLite; use PostgreSQL with --target kubernetes"
        raise typer.BadParameter(reason, param_hint="--target")
    limits = ["", *COMPOSE_LIMITS] if target is PlanFormat.COMPOSE else []
    report = "\n".join([*_lines(sizing, figures), *limits]) + "\n"
    if output is not None:
        _write(sizing, target, output, base, image, report=report)
    whole = {**asdict(sizing), "cores": round(sizing.cores, 2), "memory_mb": sizing.memory_mb}
    echo(json.dumps(whole) if as_json else report, nl=as_json)
    if output is None:
        return
    if target is not PlanFormat.COMPOSE:
        following = f"Apply it with: kubectl apply -k {output}"
    else:
        following = (
            f"Start it with: podman-compose --env-file {output}/{COMPOSE_VARIABLES} -f {base}/compose.yaml up -d"
        )
    echo(f"Written into {output}. {following}", err=True)


def _lines(sizing: "Sizing", figures: "Figures") -> list[str]:
    from vestibule.cli.plan_sizing import BUSY_SHARE

    demand = sizing.demand
    lines = [
        f"{demand.connections:,} connections x {demand.pace:g} requests a second = {demand.requests_per_s:,.0f}"
        f" requests a second, {demand.tasks_per_s:,.0f} of them for tasks: the tier `{sizing.tier}`.",
        f"{demand.changes_per_s:,.0f} changes a second for the store; one PostgreSQL on the measured machine takes"
        f" {figures.postgresql_changes_per_s:,.0f}, of which {BUSY_SHARE:.0%} are planned.",
    ]
    if sizing.cells > 1:
        lines.append(
            f"That needs {sizing.cells:,} cells, each a system with its own tenants and {sizing.cell.connections:,}"
            " connections; fewer with a larger machine for the store (docs/scaling.md). A cell has:"
        )
    lines.append("")
    for need in sizing.needs:
        count = f"{need.count}" if need.most == need.count else f"{need.count} to {need.most}"
        lines.append(f"  {need.part:15}{count:>10}   {need.reckoning}")
    cores, memory = sizing.cores, sizing.memory_mb
    lines += [
        "",
        f"  {cores:.1f} cores, with room for peaks, and {memory:,} MB, without PostgreSQL, balancer and host.",
    ]
    if sizing.cells > 1:
        lines.append(f"  All cells: {sizing.cells * cores:,.0f} cores, {sizing.cells * memory / 1000:,.0f} GB.")
    lines += ["", f"Calculated from measurements on {figures.machine}, {figures.measured_on}; measure on your machine."]
    return lines


def _write(sizing: "Sizing", target: PlanFormat, output: Path, base: Path, image: str, *, report: str) -> None:
    kubernetes = base / "kubernetes"
    is_compose = target is PlanFormat.COMPOSE
    overlay = CLUSTER_PLAIN if sizing.tier == CLUSTER and target is PlanFormat.KUBERNETES_PLAIN else str(sizing.tier)
    if not is_compose and not (kubernetes / "overlays" / overlay).is_dir():
        raise typer.BadParameter(
            f"{kubernetes} has no overlays; set it to the folder `deploy` of a checkout", param_hint="--base"
        )
    name = COMPOSE_VARIABLES if is_compose else KUSTOMIZATION
    if (output / name).exists():
        fail(f"{output / name} exists")
    try:
        output.mkdir(parents=True, exist_ok=True)
        if is_compose:
            text = _compose_variables(sizing, image)
        else:
            text = _kustomization(sizing, kubernetes.resolve() / "overlays" / overlay, output.resolve(), image)
        (output / name).write_text(text, encoding="utf-8")
        (output / REPORT).write_text(report, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write into {output} ({type(error).__name__})")


def _kustomization(sizing: "Sizing", overlay: Path, folder: Path, image: str) -> str:
    """Return the overlay in `folder` over that of the tier."""
    below = os.path.relpath(overlay, folder)
    lines = [
        HEAD.format(connections=sizing.demand.connections),
        "apiVersion: kustomize.config.k8s.io/v1beta1",
        "kind: Kustomization",
        f"resources: [{below}]",
    ]
    if image:
        name = "registry.example.org/vestibule" if sizing.tier == CLUSTER else "localhost/microsvc"
        lines += ["images:", f"  - {{name: {name}, {_image(image)}}}"]
    # In the cluster, clients and workers have autoscalers; with SQLite there is one database service.
    counted = ("database", "business-logic", "scheduler", "console") if sizing.tier == CLUSTER else ("client", "worker")
    lines += ["replicas:", *(f"  - {{name: {part}, count: {sizing.need(part).count}}}" for part in counted)]
    if sizing.tier == CLUSTER:
        lines += ["patches:", *_scalers(sizing, has_keda=overlay.name == CLUSTER)]
    return "\n".join(lines) + "\n"


def _compose_variables(sizing: "Sizing", image: str) -> str:
    """Return the variables of deploy/compose.yaml."""
    lines = [HEAD.format(connections=sizing.demand.connections)]
    lines += [f"CLIENTS={sizing.need('client').count}", f"WORKERS={sizing.need('worker').count}"]
    return "\n".join([*lines, *([f"IMAGE={image}"] if image else [])]) + "\n"


def _image(image: str) -> str:
    # A colon before the last slash precedes a port.
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return f"newName: {image}"
    return f'newName: {name}, newTag: "{tag}"'


def _scalers(sizing: "Sizing", *, has_keda: bool) -> list[str]:
    from vestibule.cli.plan_sizing import TASKS_AT_ONCE

    client, worker = sizing.need("client"), sizing.need("worker")
    of_workers = _patch("HorizontalPodAutoscaler", "worker", minReplicas=worker.count, maxReplicas=worker.most)
    if has_keda:
        of_workers = [
            *_patch("ScaledObject", "worker", minReplicaCount=worker.count, maxReplicaCount=worker.most),
            *_patch("ScaledObject", "worker", **{"fallback/replicas": worker.most}),
        ]
    return [
        *_patch("HorizontalPodAutoscaler", "client", minReplicas=client.count, maxReplicas=client.most),
        *of_workers,
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
