"""What an operation costs as there is more and more: keys in the store, alerts, tasks that wait, longer texts, rules.

    python -m benchmarks.growth [--most 1000000] [--plots DIR]

Prints the median of each operation at each size, and by how much it grew from the smallest to the largest.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.plots import Curve, draw
from benchmarks.policy import FOUND, policy_of
from redis.asyncio import Redis

from vestibule.alerts import AlertArchive, AlertSettings, AlertType, build_alert_engine
from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.contracts.tasks import QUEUE
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.detection import Scanner
from vestibule.policy import Situation

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MOST_ALERTS_AND_TASKS = 1_000_000
LENGTHS = (60, 600, 6_000, 60_000, 1_000_000)
RULES = (1, 10, 100, 500)
REPEATS = 300
TEXT = "the order of a report was sent to our office in time for its 42 pages, and the lazy dog slept on. "
MESSAGE = b'{"headers": {"id": "00000000-0000-0000-0000-000000000000", "sent_at": 1.0}, "body": "' + b"x" * 300 + b'"}'
Step = Callable[[int], Awaitable[object]]


async def median_us(step: Step, repeats: int = REPEATS) -> float:
    """Return the median time of a step, in microseconds."""
    took = []
    for number in range(repeats):
        began = time.perf_counter()
        await step(number)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


async def measure_store(folder: Path, sizes: list[int]) -> list[Curve]:
    """Return what a write, a read and a page of keys cost in a store of so many keys."""
    curves: dict[str, list[tuple[float, float]]] = {"write": [], "read": [], "page of keys": []}
    async with SqliteStore(folder / "growth.db", 10) as store:
        filled = 0
        for size in sizes:
            while filled < size:
                some = range(filled, min(size, filled + 1000))
                await store.write_many([Write(f"default/key-{number:08}", TEXT) for number in some])
                filled = some.stop
            stride = size // REPEATS
            curves["write"].append(
                (size, await median_us(lambda n: store.write(Write(f"default/key-{n * stride:08}", TEXT))))  # noqa: B023
            )
            curves["read"].append((size, await median_us(lambda n: store.read(f"default/key-{n * stride:08}"))))  # noqa: B023
            page = await median_us(lambda n: store.keys("default/key-", 100, f"default/key-{n * stride:08}"))  # noqa: B023
            curves["page of keys"].append((size, page))
    return list(curves.items())


async def measure_alerts(folder: Path, sizes: list[int]) -> list[Curve]:
    """Return what recording an alert and reading a page of alerts cost with so many in the record."""
    settings = AlertSettings(data_dir=folder, alert_channels=[])
    engine = build_alert_engine("client", settings)
    archive = AlertArchive(settings.alert_record_path)
    curves: dict[str, list[tuple[float, float]]] = {"alert recorded": [], "page of alerts": []}

    async def raise_one(number: int) -> None:
        await engine.raise_alert(
            AlertType.PERSONAL_DATA, "EMAIL_ADDRESS in the value.", fingerprint=f"e1:{number:032x}"
        )

    async def read_page(_number: int) -> None:
        archive.page(limit=100)

    raised = 0
    for size in sizes:
        while raised < size:
            await asyncio.gather(*(raise_one(raised + number) for number in range(500)))
            raised += 500
        curves["alert recorded"].append((size, await median_us(lambda n: raise_one(10**9 + n))))
        curves["page of alerts"].append((size, await median_us(read_page, 50)))
    return list(curves.items())


async def measure_queue(folder: Path, sizes: list[int]) -> list[Curve]:
    """Return what sending, taking and looking cost with so many tasks waiting."""
    socket = folder / "growth.sock"
    command = [find_redis_program(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    server = await asyncio.create_subprocess_exec(*map(str, command), stdout=asyncio.subprocess.DEVNULL)
    curves: dict[str, list[tuple[float, float]]] = {"sent and taken": [], "relay's look": []}
    try:
        async with Redis.from_url(f"unix://{socket}") as redis:
            while not socket.exists():  # noqa: ASYNC110 - it offers nothing to wait for
                await asyncio.sleep(0.05)
            view = QueueView(redis)

            async def pass_one(_number: int) -> None:
                await redis.lpush(QUEUE, MESSAGE)
                await redis.brpop([QUEUE])

            for size in sizes:
                while (waiting := await redis.llen(QUEUE)) < size:
                    await redis.lpush(QUEUE, *[MESSAGE] * min(5_000, size - waiting))
                curves["sent and taken"].append((size, await median_us(pass_one)))
                look = await median_us(lambda n: view.snapshot([f"task-{n}-{one}" for one in range(100)]))
                curves["relay's look"].append((size, look))
    finally:
        server.terminate()
        await server.wait()
    return list(curves.items())


async def measure_texts() -> list[Curve]:
    """Return what the scan of a clean text costs by its length."""
    scanner = Scanner.from_settings()
    curve: list[tuple[float, float]] = []
    for length in LENGTHS:
        text = (TEXT * (length // len(TEXT) + 1))[:length]

        async def scan(_number: int, text: str = text) -> None:
            scanner.scan(text)

        await scan(0)
        curve.append((length, await median_us(scan, max(3, min(REPEATS, 3_000_000 // length)))))
    return [("scan", curve)]


async def measure_rules(folder: Path) -> list[Curve]:
    """Return what a decision costs by the number of rules."""
    situation = Situation("/add", "id-7", "team-7", key="area-7/x")
    curve: list[tuple[float, float]] = []
    for size in RULES:
        policy = policy_of(size, folder)

        async def decide(_number: int, policy: object = policy) -> None:
            policy.decide(situation, {"value": FOUND})  # type: ignore[attr-defined]

        curve.append((size, await median_us(decide)))
    return [("decision about two findings", curve)]


def tell(title: str, curves: list[Curve], plots: Path | None) -> None:
    """Print curves, and draw them where asked."""
    print(title)
    for name, curve in curves:
        figures = ", ".join(f"{size:,}: {us:,.1f}" for size, us in curve)
        print(f"  {name:28} us at {figures}; x{curve[-1][1] / curve[0][1]:.2f} from first to last")
    if plots is not None:
        draw(plots / f"growth-{title.split(maxsplit=1)[0]}.svg", f"{title}: microseconds, medians", curves)


async def main() -> None:
    """Measure everything."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--most", type=int, default=1_000_000, help="the largest number of keys, alerts and tasks")
    ask.add_argument("--only", default="", help="rules, texts, tasks, store or alerts")
    ask.add_argument("--plots", type=Path)
    given = ask.parse_args()
    sizes = [size for size in SIZES if size <= given.most]
    fewer = [size for size in sizes if size <= MOST_ALERTS_AND_TASKS]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        kinds: dict[str, Callable[[], Awaitable[list[Curve]]]] = {
            "rules in the policy": lambda: measure_rules(folder),
            "texts by their length": measure_texts,
            "tasks that wait": lambda: measure_queue(folder, fewer),
            "store by its keys": lambda: measure_store(folder, sizes),
            "alerts in the record": lambda: measure_alerts(folder, fewer),
        }
        for title, kind in kinds.items():
            if title.startswith(given.only):
                tell(title, await kind(), given.plots)


if __name__ == "__main__":
    asyncio.run(main())
