"""How long a page takes for each filter, of a million decisions in SQLite and in PostgreSQL.

    python benchmarks/filters_decisions.py [--rows 1000000] [--stores sqlite,postgresql] [--repeats 30]

Fills each store through its own port, then asks for the first page and for later ones, a filter after the other and
combinations of them: frequent values, rare ones, and two frequent ones that never come together. Prints the median and
the longest time in milliseconds, each as the store answers it, without HTTP.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.postgresql import running_server
from vestibule.contracts.decisions import (
    Action,
    DecisionBatch,
    DecisionFilter,
    DecisionRecord,
    Outcome,
    RecordedFinding,
    strictest,
)
from vestibule.database_service.decisions.decision_store import DecisionStore
from vestibule.database_service.decisions.stores.postgresql import PostgresqlDecisionStore
from vestibule.database_service.main import build_decision_store, build_store
from vestibule.database_service.settings import DatabaseSettings

NOW = datetime.now(UTC)
AT_ONCE = 2000
PAGES = 3
ENTITIES = [f"ENTITY_{number}" for number in range(40)]
FILTERS: dict[str, DecisionFilter] = {
    "none": DecisionFilter(),
    "tenant, frequent": DecisionFilter(tenant="default"),
    "tenant, rare": DecisionFilter(tenant="t19"),
    "token id": DecisionFilter(token="id-3"),
    "token name, rare": DecisionFilter(token="name-199"),
    "token, unknown": DecisionFilter(token="nobody"),
    "route, frequent": DecisionFilter(route="/add"),
    "route, rare": DecisionFilter(route="/schedules"),
    "entity, frequent": DecisionFilter(entity="ENTITY_0"),
    "entity, rare": DecisionFilter(entity="ENTITY_39"),
    "action": DecisionFilter(action=Action.MASK),
    "outcome": DecisionFilter(outcome=Outcome.BLOCKED),
    "span of a day": DecisionFilter(since=NOW - timedelta(days=41), until=NOW - timedelta(days=40)),
    "tenant and route": DecisionFilter(tenant="default", route="/messages"),
    "tenant, entity, action": DecisionFilter(tenant="default", entity="ENTITY_1", action=Action.REDACT),
    "frequent, never together": DecisionFilter(route="/messages", entity="ENTITY_0"),
    "all, with a span": DecisionFilter(
        tenant="default",
        token="id-1",
        route="/add",
        entity="ENTITY_2",
        action=Action.REDACT,
        outcome=Outcome.LET_IN,
        since=NOW - timedelta(days=60),
    ),
}


def decisions(rows: int) -> Iterator[DecisionRecord]:
    """Yield decisions of 90 days; some values are frequent and others rare, and some never come together."""
    draw = random.Random(4711)
    span_s = 90 * 86_400
    for number in range(rows):
        route = draw.choices(("/add", "/messages", "/schedules"), (85, 14.9, 0.1))[0]
        token = min(199, int(draw.expovariate(0.05)))
        # The first entity is frequent, and never in a message.
        entities = {min(39, int(draw.expovariate(0.25))) for _ in range(draw.choice((1, 1, 1, 2, 3)))}
        named = [ENTITIES[one] for one in entities if one or route != "/messages"] or ["ENTITY_5"]
        action = draw.choices((Action.REDACT, Action.BLOCK, Action.MASK, Action.ALERT), (60, 30, 1, 9))[0]
        findings = [
            RecordedFinding.model_construct(
                entity=entity, score=0.95, field="value", action=action, would_have=None, fingerprint="e692:" + "0" * 32
            )
            for entity in named
        ]
        yield DecisionRecord.model_construct(
            time=NOW - timedelta(seconds=span_s * (1 - number / rows)),
            decision_id=f"{number:016x}",
            request_id=f"{number:032x}",
            token_id=f"id-{token}",
            token_name=f"name-{token}",
            tenant=draw.choices(("default", f"t{draw.randrange(20)}"), (80, 20))[0],
            task_id=f"task-{number}" if route == "/messages" else None,
            route=route,
            key_prefix=None,
            policy="3c81d9a07b52",
            detectors="90b1f64c2a7e",
            outcome=Outcome.BLOCKED if action is Action.BLOCK else Outcome.LET_IN,
            action=strictest([action]),
            alert_id=f"{number:016x}",
            findings=findings,
            omitted=0,
        )


async def fill(store: DecisionStore, rows: int) -> None:
    """Record so many decisions."""
    began = time.perf_counter()
    name, records = f"{NOW.date()}-{'0' * 16}", decisions(rows)
    for start in range(0, rows, AT_ONCE):
        some = list(islice(records, AT_ONCE))
        batch = DecisionBatch.model_construct(file=name, start=start, end=start + len(some), decisions=some, clean=[])
        await store.add(batch)
    print(f"{rows:,} decisions in {time.perf_counter() - began:.0f} s", flush=True)


async def measure(store: DecisionStore, repeats: int) -> None:
    """Print the times of each filter; the first page and those after it count alike."""
    print(f"{'filter':26} {'p50 ms':>8} {'max ms':>8}  rows of the first page")
    for name, wanted in FILTERS.items():
        times: list[float] = []
        first: int | None = None
        while len(times) < repeats:
            cursor = None
            for _ in range(PAGES):
                began = time.perf_counter()
                page = await store.page(wanted, 50, cursor)
                times.append((time.perf_counter() - began) * 1000)
                first, cursor = len(page.decisions) if first is None else first, page.cursor
                if cursor is None:
                    break
        print(f"{name:26} {statistics.median(times):8.2f} {max(times):8.2f}  {first}", flush=True)
    began = time.perf_counter()
    counts = await store.counts((NOW - timedelta(days=90)).date(), NOW.date(), None)
    took_ms = (time.perf_counter() - began) * 1000
    print(f"counts of 90 days: {took_ms:.1f} ms, {len(counts)} days and routes")


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[DecisionStore]:
    """Open an empty store of decisions."""
    if kind == "sqlite":
        async with build_store(DatabaseSettings(data_dir=folder)) as store:
            decisions = build_decision_store(store, 90)
            await decisions.prepare()
            yield decisions
        return
    with running_server() as server:
        url = server.database_url("filters")
        async with build_store(DatabaseSettings(data_dir=folder, database_url=url, database_timeout_s=600)) as store:
            yield build_decision_store(store, 90)


async def main() -> None:
    """Fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stores", default="sqlite,postgresql")
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    for kind in given.stores.split(","):
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{kind}")
            async with opened(kind, Path(folder)) as store:
                await fill(store, given.rows)
                if isinstance(store, PostgresqlDecisionStore):
                    # As the server does by itself in the background.
                    await store._connections.fetch("VACUUM ANALYZE vestibule.decisions")
                    await store._connections.fetch("VACUUM ANALYZE vestibule.decision_entities")
                await measure(store, given.repeats)


if __name__ == "__main__":
    asyncio.run(main())
