"""Calculates a plan: from connections to requests, from their measured CPU time to processes, with spare capacity."""

import json
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from pathlib import Path

FILE = Path(__file__).with_name("measured.json")
# A process that is busy for a larger share of the time makes callers wait; the rest is for peaks.
BUSY_SHARE = 0.6
# A task is written into the ledger when it is accepted, when it is checked, and when it has ended.
CHANGES_A_TASK = 3
TASKS_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured figures that a plan is calculated from.

    CPU time of one request or task in each part, changes a second of one PostgreSQL, the memory of a part under load
    with few connections, and that of a client for each connection.
    """

    machine: str
    measured_on: str
    client_us: float
    database_us: float
    task_client_us: float
    task_database_us: float
    task_worker_us: float
    task_redis_us: float
    postgresql_changes_per_s: float
    memory_mb: dict[str, int]
    connection_kb: float = 0


def read_figures() -> Figures:
    """Return the figures that came with this version."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    figures = {name: float(entry["value"]) for name, entry in kept["figures"].items()}
    return Figures(kept["machine"], kept["measured_on"], memory_mb=dict(kept["memory_mb"]), **figures)


class Tier(StrEnum):
    """The sizes of docs/scaling.md."""

    POD = "pod"
    REPLICAS = "replicas"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Floor:
    """The minimum of a tier, so that one process may be lost or replaced, and what each part scales up to."""

    clients: int
    workers: int
    databases: int
    spare: int
    most_factor: float


FLOORS = {
    Tier.POD: Floor(clients=1, workers=2, databases=1, spare=0, most_factor=1),
    Tier.REPLICAS: Floor(clients=2, workers=3, databases=1, spare=1, most_factor=1),
    Tier.CLUSTER: Floor(clients=3, workers=5, databases=2, spare=1, most_factor=5 / 3),
}
POD_CONNECTIONS, REPLICAS_CONNECTIONS = 10, 50


@dataclass(frozen=True, slots=True)
class Demand:
    """The load to plan for."""

    connections: int
    pace: float
    tasks_per_s: float

    @property
    def requests_per_s(self) -> float:
        """The requests of all connections."""
        return self.connections * self.pace

    @property
    def changes_per_s(self) -> float:
        """The changes that the store has to write."""
        return max(0.0, self.requests_per_s - self.tasks_per_s) + CHANGES_A_TASK * self.tasks_per_s

    def shared_by(self, cells: int) -> "Demand":
        """Return the share of one of so many cells."""
        return Demand(ceil(self.connections / cells), self.pace, self.tasks_per_s / cells)


@dataclass(frozen=True, slots=True)
class Need:
    """How many processes of a part, and how they were calculated."""

    part: str
    count: int
    most: int
    cores: float
    memory_mb: int
    reckoning: str


@dataclass(frozen=True, slots=True)
class Sizing:
    """A whole plan: the number of cells, each an independent system with a share of the demand, and the needs of one.

    There is one cell, unless its store or its queue would be overloaded.
    """

    demand: Demand
    cells: int
    cell: Demand
    tier: Tier
    needs: tuple[Need, ...]

    def need(self, part: str) -> Need:
        """Return the need for a part."""
        return next(one for one in self.needs if one.part == part)

    @property
    def cores(self) -> float:
        """The cores for the parts of a cell, with spare capacity for peaks."""
        return sum(need.cores for need in self.needs)

    @property
    def memory_mb(self) -> int:
        """The memory of all parts of a cell."""
        return sum(need.count * need.memory_mb for need in self.needs)


def tier_of(connections: int) -> Tier:
    """Return the smallest tier for so many connections."""
    if connections <= POD_CONNECTIONS:
        return Tier.POD
    return Tier.REPLICAS if connections <= REPLICAS_CONNECTIONS else Tier.CLUSTER


def size(demand: Demand, figures: Figures) -> Sizing:
    """Return the number of cells for a demand, and the processes of a cell."""
    stores = demand.changes_per_s / (figures.postgresql_changes_per_s * BUSY_SHARE)
    queues = demand.tasks_per_s * figures.task_redis_us / 1e6 / BUSY_SHARE
    cells = ceil(max(stores, queues, 1))
    cell = demand.shared_by(cells)
    tier = tier_of(demand.connections)
    return Sizing(demand, cells, cell, tier, _needs(cell, tier, figures))


def _needs(demand: Demand, tier: Tier, figures: Figures) -> tuple[Need, ...]:
    floor = FLOORS[tier]
    tasks = demand.tasks_per_s
    # The request that starts a task is counted with the task.
    others = max(0.0, demand.requests_per_s - tasks)
    client = _Load.of(others, figures.client_us, tasks, figures.task_client_us)
    connections_mb = demand.connections * figures.connection_kb / 1000
    database = _Load.of(others, figures.database_us, tasks, figures.task_database_us)
    worker = _Load.of(0, 0, tasks, figures.task_worker_us)
    return (
        _need("client", client, floor.clients, floor, figures, more_mb=connections_mb),
        _need("database", database, floor.databases, floor, figures),
        _need("worker", worker, floor.workers, floor, figures, cores_each=TASKS_AT_ONCE),
        *(_fixed(part, tier, figures) for part in ("business-logic", "scheduler", "console")),
        _redis(tasks, figures),
    )


@dataclass(frozen=True, slots=True)
class _Load:
    cores: float
    reckoning: str

    @classmethod
    def of(cls, requests: float, request_us: float, tasks: float, task_us: float) -> "_Load":
        terms = [(requests, request_us, "requests"), (tasks, task_us, "tasks")]
        shown = [f"{count:,.0f} {what} x {us:,.0f} us" for count, us, what in terms if count * us]
        return cls(sum(count * us for count, us, _ in terms) / 1e6, " + ".join(shown) or "nothing")


def _need(
    part: str, load: _Load, least: int, floor: Floor, figures: Figures, *, cores_each: int = 1, more_mb: float = 0
) -> Need:
    # `more_mb` is memory that all processes of the part share out among them.
    busy = ceil(load.cores / (BUSY_SHARE * cores_each) - 1e-9) or 1
    # A tier with one process has no spare one.
    spare = floor.spare if least > 1 else 0
    count = max(busy + spare, least)
    reckoning = (
        f"{load.reckoning} = {load.cores:.2f} cores; / {BUSY_SHARE:.0%}"
        + (f" / {cores_each} at once" if cores_each > 1 else "")
        + f" = {busy}"
        + (f", and {spare} to spare = {busy + spare}" if spare else "")
        + (f"; the tier has at least {least}" if least > busy + spare else "")
    )
    most = max(count, ceil(count * floor.most_factor)) if part != "database" else count
    if part == "worker" and floor.most_factor > 1:
        most = 2 * count
    memory_mb = figures.memory_mb[part] + ceil(more_mb / count)
    return Need(part, count, most, max(load.cores / BUSY_SHARE, 0.05), memory_mb, reckoning)


def _fixed(part: str, tier: Tier, figures: Figures) -> Need:
    count = 2 if tier is Tier.CLUSTER else 1
    why = {
        "business-logic": "processes synchronous messages",
        "console": "pages for people",
        "scheduler": "one is active" + (", one on standby" if count > 1 else ""),
    }[part]
    return Need(part, count, count, 0.1 * count, figures.memory_mb[part], why)


def _redis(tasks: float, figures: Figures) -> Need:
    cores = tasks * figures.task_redis_us / 1e6
    reckoning = f"{tasks:,.0f} tasks x {figures.task_redis_us:,.0f} us = {cores:.2f} cores; lost ones are sent again"
    return Need("redis", 1, 1, max(cores / BUSY_SHARE, 0.05), figures.memory_mb["redis"], reckoning)
