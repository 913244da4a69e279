"""The measured figures that a plan is calculated from; they stand in the file beside this one."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU time of one request or task in each part, what one PostgreSQL takes, and the memory of a part."""

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


def read_figures() -> Figures:
    """Return the figures that came with this version."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    figures = {name: float(entry["value"]) for name, entry in kept["figures"].items()}
    return Figures(
        machine=kept["machine"], measured_on=kept["measured_on"], memory_mb=dict(kept["memory_mb"]), **figures
    )
