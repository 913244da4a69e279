"""`vestibule plan`: the command, its output and its files."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.http_client import AsJson, fail

if TYPE_CHECKING:
    from vestibule.cli.plan.figures import Figures
    from vestibule.cli.plan.sizing import Sizing

TASK_SHARE = 0.3
COMPOSE_VARIABLES, KUSTOMIZATION, REPORT = "compose.env", "kustomization.yaml", "plan.txt"


class PlanFormat(StrEnum):
    """What the manifests are for."""

    COMPOSE = "compose"
    KUBERNETES = "kubernetes"


def plan(
    connections: Annotated[
        int, typer.Option(min=1, max=10_000_000, help="Connections at once, each with one request at a time.")
    ],
    tasks_per_s: Annotated[
        float | None, typer.Option(min=0, help="Tasks a second. [default: 30% of the requests]")
    ] = None,
    pace: Annotated[float, typer.Option(min=0.001, max=1000, help="Requests that a connection sends a second.")] = 5,
    target: Annotated[PlanFormat, typer.Option(help="What the manifests are for.")] = PlanFormat.KUBERNETES,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write the manifests into; without it they are only counted.")
    ] = None,
    base: Annotated[Path, typer.Option(help="The folder deploy of this project.")] = Path("deploy"),
    image: Annotated[str, typer.Option(help="Image that the hosts get, as NAME:TAG.")] = "",
    as_json: AsJson = False,
) -> None:
    """Calculate how many of each part a load needs, and write the manifests for it."""
    from vestibule.cli.plan.figures import read_figures
    from vestibule.cli.plan.sizing import Demand, size

    requests = connections * pace
    tasks = TASK_SHARE * requests if tasks_per_s is None else tasks_per_s
    if tasks > requests:
        raise typer.BadParameter(
            f"{connections:,} connections at a pace of {pace:g} send {requests:,.0f} requests a second; no more tasks",
            param_hint="--tasks-per-s",
        )
    figures = read_figures()
    sizing = size(Demand(connections, pace, tasks), figures)
    if target is PlanFormat.COMPOSE:
        _refuse_for_one_host(sizing)
    report = "\n".join(_lines(sizing, figures)) + "\n"
    if output is not None:
        _write(sizing, target, output, base, image, report=report)
    typer.echo(json.dumps(_as_json(sizing)) if as_json else report, nl=as_json)
    if output is not None:
        typer.echo(f"Written into {output}. {_next(target, output, base)}", err=True)


def _refuse_for_one_host(sizing: "Sizing") -> None:
    if sizing.cells > 1 or sizing.need("database").cores > 1:
        raise typer.BadParameter(
            "one database service with SQLite does not do so much; several need PostgreSQL: --target kubernetes",
            param_hint="--target",
        )


def _lines(sizing: "Sizing", figures: "Figures") -> list[str]:
    from vestibule.cli.plan.sizing import BUSY_SHARE

    demand = sizing.demand
    lines = [
        f"{demand.connections:,} connections x {demand.pace:g} requests a second = {demand.requests_per_s:,.0f}"
        f" requests a second, {demand.tasks_per_s:,.0f} of them for tasks: the tier `{sizing.tier}`.",
        f"{demand.changes_per_s:,.0f} changes a second for the store; one PostgreSQL of the measured machine takes"
        f" {figures.postgresql_changes_per_s:,.0f}, and is to be busy for {BUSY_SHARE:.0%}.",
    ]
    if sizing.cells > 1:
        lines.append(
            f"So {sizing.cells:,} cells, each a system with tenants of its own and {sizing.cell.connections:,}"
            " connections; fewer where a larger machine for the store was measured (docs/scaling.md). A cell has:"
        )
    lines.append("")
    for need in sizing.needs:
        count = f"{need.count}" if need.most == need.count else f"{need.count} to {need.most}"
        lines.append(f"  {need.part:15}{count:>10}   {need.reckoning}")
    cores, memory = sizing.cores, sizing.memory_mb
    lines += ["", f"  {cores:.1f} cores with room for peaks, and {memory:,} MB, without the store and the host."]
    if sizing.cells > 1:
        lines.append(f"  All cells: {sizing.cells * cores:,.0f} cores, {sizing.cells * memory / 1000:,.0f} GB.")
    lines += ["", f"Counted with what was measured on {figures.machine}, {figures.measured_on}; measure on yours."]
    return lines


def _as_json(sizing: "Sizing") -> dict[str, object]:
    return {**asdict(sizing), "cores": round(sizing.cores, 2), "memory_mb": sizing.memory_mb}


def _write(sizing: "Sizing", target: PlanFormat, output: Path, base: Path, image: str, *, report: str) -> None:
    from vestibule.cli.plan.manifests import compose_variables, kustomization

    kubernetes = base / "kubernetes"
    if target is PlanFormat.KUBERNETES and not (kubernetes / "overlays" / sizing.tier).is_dir():
        raise typer.BadParameter(
            f"{kubernetes} has no overlays; name the folder deploy of a checkout", param_hint="--base"
        )
    name = KUSTOMIZATION if target is PlanFormat.KUBERNETES else COMPOSE_VARIABLES
    if (output / name).exists():
        fail(f"{output / name} exists")
    try:
        output.mkdir(parents=True, exist_ok=True)
        if target is PlanFormat.KUBERNETES:
            text = kustomization(sizing, kubernetes.resolve(), output.resolve(), image)
        else:
            text = compose_variables(sizing, image)
        (output / name).write_text(text, encoding="utf-8")
        (output / REPORT).write_text(report, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write into {output} ({type(error).__name__})")


def _next(target: PlanFormat, output: Path, base: Path) -> str:
    if target is PlanFormat.KUBERNETES:
        return f"Apply it with: kubectl apply -k {output}"
    return f"Start it with: podman-compose --env-file {output}/{COMPOSE_VARIABLES} -f {base}/compose.yaml up -d"
