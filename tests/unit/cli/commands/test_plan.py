"""`vestibule plan`: its arithmetic, what it refuses, and what it writes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from servers.manifests import render
from vestibule.cli.main import app
from vestibule.cli.plan_sizing import BUSY_SHARE, FILE, Demand, Figures, Tier, read_figures, size

ROOT = Path(__file__).parents[4]
MEMORY = dict.fromkeys(("client", "database", "worker", "business-logic", "scheduler", "console", "redis"), 100)
# Round figures: a thousand requests a second are one core of a client, and so on.
ROUND = Figures("a machine", "a day", 1000, 500, 1000, 500, 2000, 100, 5000, MEMORY)
parts = ("client", "worker", "database", "business-logic", "scheduler", "console")


def plan(*options: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, options)])


def counts(*options: object) -> dict[str, tuple[int, int]]:
    done = plan(*options, "--json")
    assert 0 == done.exit_code, done.output
    return {need["part"]: (need["count"], need["most"]) for need in json.loads(done.stdout)["needs"]}


def test_the_arithmetic_by_hand() -> None:
    """1,000 requests a second of 1 ms each, busy for 60% of the time: two clients, and one to spare."""
    sizing = size(Demand(connections=200, pace=5, tasks_per_s=0), ROUND)
    assert (Tier.CLUSTER, 3, 5) == (sizing.tier, sizing.need("client").count, sizing.need("client").most)
    assert "1,000 requests x 1,000 us = 1.00 cores; / 60% = 2, and 1 to spare = 3" == sizing.need("client").reckoning
    assert (2, 1) == (sizing.need("database").count, sizing.cells)
    # Three changes a task and one for each other request, of 3,000 that one store takes.
    busier = size(Demand(connections=1000, pace=5, tasks_per_s=3000), ROUND)
    assert (11_000, 4, 250) == (busier.demand.changes_per_s, busier.cells, busier.cell.connections)
    # In each cell 750 tasks of 2 ms, two at once in a worker: 1.25 are busy for 60%; the tier has five.
    assert "750 tasks x 2,000 us = 1.50 cores; / 60% / 2 at once = 2, and 1 to spare = 3; the tier has at least 5" == (
        busier.need("worker").reckoning
    )


@pytest.mark.parametrize(
    ("connections", "clients", "workers", "databases"),
    [(10, (1, 1), (2, 2), (1, 1)), (50, (2, 2), (3, 3), (1, 1)), (100, (3, 5), (5, 10), (2, 2))],
)
def test_the_tiers_are_those_of_the_manifests(
    connections: int, clients: tuple[int, int], workers: tuple[int, int], databases: tuple[int, int]
) -> None:
    """With the figures that are kept, 10, 50 and 100 connections need what the overlays have."""
    found = counts("--connections", connections)
    assert (clients, workers, databases) == (found["client"], found["worker"], found["database"])


@given(st.integers(1, 10_000_000), st.floats(0.01, 100), st.floats(0, 1))
def test_nothing_is_busier_than_it_should_be(connections: int, pace: float, share: float) -> None:
    """Whatever is asked for, there are enough of each part, and neither store nor queue of a cell is over its limit."""
    sizing = size(Demand(connections, pace, share * connections * pace), ROUND)
    requests, tasks = sizing.cell.requests_per_s, sizing.cell.tasks_per_s
    assert sizing.cells * sizing.cell.connections >= connections
    busy = {
        "client": requests * 0.001,
        "database": requests * 0.0005,
        "worker": tasks * 0.002 / 2,
        "redis": tasks * 1e-4,
    }
    slack = 1 + 1e-6 + pace / max(requests, pace)
    assert {} == {part: cores for part, cores in busy.items() if cores > BUSY_SHARE * sizing.need(part).count * slack}
    assert sizing.cell.changes_per_s <= BUSY_SHARE * ROUND.postgresql_changes_per_s * slack + pace


def test_the_figures_say_where_they_come_from() -> None:
    """Each has a meaning and the command or the document that it comes from, and the machine has a name."""
    kept = json.loads(FILE.read_text())
    assert read_figures().client_us > 0
    assert kept["machine"]
    for name, entry in kept["figures"].items():
        assert entry["value"] > 0, name
        assert entry["what"], name
        source = entry["by"]
        assert source.startswith("python -m benchmarks.") or (ROOT / source).exists(), name
    assert {*parts, "redis"} == kept["memory_mb"].keys()


# One client and two workers; two clients and three workers.
@pytest.mark.parametrize(("heading", "connections"), [("The pod", 10), ("The replicas", 50)])
def test_the_memory_is_what_was_measured(heading: str, connections: int) -> None:
    """What docs/scaling.md shows for containers under load fits into the plan, which is not a quarter larger."""
    text = (ROOT / "docs" / "scaling.md").read_text()
    table = text[text.index(f"**{heading}**") :]
    row = re.search(rf"^\| {connections} \|.*\| ([\d,]+): .* \|$", table, re.MULTILINE)
    assert row is not None
    sizing = size(Demand(connections, 5, 0.3 * connections * 5), read_figures())
    # The tables are older than the console.
    younger = [] if "console" in row[0] else [sizing.need("console")]
    planned = sizing.memory_mb - sum(one.count * one.memory_mb for one in younger)
    measured = int(row[1].replace(",", ""))
    assert measured <= planned <= 1.25 * measured


def test_the_memory_grows_with_the_connections() -> None:
    """Those of a client are its own."""
    figures = replace(ROUND, connection_kb=50)
    few, many = (size(Demand(connections, 0.001, 0), figures) for connections in (1000, 10_000))
    assert (3, 100 + 17) == (few.need("client").count, few.need("client").memory_mb)
    assert (3, 100 + 167) == (many.need("client").count, many.need("client").memory_mb)


def test_a_plan_for_compose_says_what_compose_cannot_do() -> None:
    """That is not a matter of numbers, so it stands below them; a plan for Kubernetes has no such lines."""
    said = plan("--connections", 40, "--target", "compose").stdout
    for word in ("one host", "one Redis", "SQLite", "Nothing is scaled by load", "deploy/roll"):
        assert word in said
    assert "one host" not in plan("--connections", 40).stdout


def test_the_document_counts_with_the_same_figures() -> None:
    """What docs/scaling.md says a request and a task cost is what a plan counts with."""
    figures, text = read_figures(), (ROOT / "docs" / "scaling.md").read_text()
    add = f"| `/add` | {figures.client_us:,.0f} us | {figures.database_us:,.0f} us | - | - |"
    costs = (figures.task_client_us, figures.task_database_us, figures.task_worker_us, figures.task_redis_us)
    task = "".join(f" {cost:,.0f} us |" for cost in costs)
    assert add in text
    assert f"until it has ended |{task}" in text
    assert f"{figures.postgresql_changes_per_s:,.0f} changes a second" in text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--connections", 0), "--connections"),
        (("--connections", "many"), "--connections"),
        ((), "--connections"),
        (("--connections", 10, "--pace", 0), "--pace"),
        (("--connections", 10, "--tasks-per-s", -1), "--tasks-per-s"),
        (("--connections", 10, "--tasks-per-s", 500), "no more tasks"),
        (("--connections", 10, "--target", "nomad"), "--target"),
        (("--connections", 5000, "--target", "compose"), "PostgreSQL"),
        (("--connections", 10, "--output", "unused", "--base", "nowhere"), "no overlays"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: tuple[object, ...], reason: str) -> None:
    """Wrong usage ends with 2 and says what is wrong, and nothing is written."""
    done = plan(*options)
    assert 2 == done.exit_code
    assert reason in " ".join(done.stderr.replace("│", " ").split())
    assert not Path("unused").exists()


@pytest.mark.parametrize("connections", [8, 40, 700])
def test_the_overlay_is_rendered_with_the_numbers_of_the_plan(connections: int, tmp_path: Path) -> None:
    """What is written can be applied: kustomize takes it, and what comes out has as many as were counted."""
    folder = tmp_path / "mine"
    image = "registry.example.com:5000/house/vestibule:1.2"
    options = ("--connections", connections, "--output", folder, "--base", ROOT / "deploy", "--image", image)
    found = counts(*options)
    assert (folder / "plan.txt").read_text().startswith(f"{connections:,} connections")
    rendered = render(folder)
    for part in parts:
        assert image == rendered.pod(part)["spec"]["containers"][0]["image"]
    if connections < 50:
        kinds = {"client": "StatefulSet", "worker": "Deployment"}
        assert {part: found[part][0] for part in kinds} == {
            part: rendered.one(kind, part)["spec"]["replicas"] for part, kind in kinds.items()
        }
        return
    clients = rendered.one("HorizontalPodAutoscaler", "client")["spec"]
    workers = rendered.one("ScaledObject", "worker")["spec"]
    assert found["client"] == (clients["minReplicas"], clients["maxReplicas"])
    assert found["worker"] == (workers["minReplicaCount"], workers["maxReplicaCount"])
    assert found["worker"][1] == workers["fallback"]["replicas"]
    assert found["database"][0] == rendered.one("StatefulSet", "database")["spec"]["replicas"]
    again = plan(*options)
    assert (1, f"vestibule: {folder / 'kustomization.yaml'} exists\n") == (again.exit_code, again.stderr)


def test_an_overlay_for_a_cluster_without_keda(tmp_path: Path) -> None:
    """Its workers have a plain autoscaler, with the same numbers; the smaller tiers are the same in both."""
    options = ("--base", ROOT / "deploy", "--target", "kubernetes-plain")
    found = counts("--connections", 700, "--output", tmp_path / "large", *options)
    rendered = render(tmp_path / "large")
    workers = rendered.one("HorizontalPodAutoscaler", "worker")["spec"]
    assert found["worker"] == (workers["minReplicas"], workers["maxReplicas"])
    assert not rendered.of("ScaledObject", "Gateway")
    counts("--connections", 40, "--output", tmp_path / "small", *options)
    assert render(tmp_path / "small").one("StatefulSet", "client")["spec"]["replicas"] == 2


def test_the_variables_for_compose_scale_clients_and_workers(tmp_path: Path) -> None:
    """They set the numbers of clients and workers, by the names that the deployment asks for."""
    found = counts("--connections", 40, "--target", "compose", "--output", tmp_path, "--image", "mine:1")
    lines = (tmp_path / "compose.env").read_text().splitlines()
    assert [f"CLIENTS={found['client'][0]}", f"WORKERS={found['worker'][0]}", "IMAGE=mine:1"] == lines[1:]
    deployed = ROOT / "deploy" / "compose.yaml"
    if deployed.exists():
        text = deployed.read_text()
        assert all(f"${{{line.partition('=')[0]}:-" in text for line in lines[1:])
