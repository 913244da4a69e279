"""The metrics of a service of several processes: any of them answers `GET /metrics` for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.metrics.sharing import Publisher
from vestibule.service_kit.processes.siblings import Siblings

TOPIC = "metrics"


@asynccontextmanager
async def sharing_metrics(metrics: Metrics, folder: Path, siblings: Siblings) -> AsyncIterator[None]:
    """Show in `metrics` what the processes that share `folder` count, while the context is open.

    Every process writes its metrics down before one is asked for all. So what an answer says stays when a process is
    killed right after it, and no counter falls.
    """
    if not siblings.are_there:
        yield
        return
    publisher = Publisher(folder, lambda: metrics.snapshot().of_process())

    async def publish(_text: str = "") -> None:
        # What cannot be written is shown as of the last second that it could; the thread reports it.
        with suppress(OSError):
            await asyncio.to_thread(publisher.publish)

    async def gather(_metrics: Metrics) -> None:
        await asyncio.gather(publish(), siblings.ask(TOPIC))

    siblings.on(TOPIC, publish)
    metrics.join(publisher.others)
    metrics.written = lambda: publisher.written
    metrics.ask(gather)
    await publish()
    publisher.start()
    try:
        yield
    finally:
        await asyncio.to_thread(publisher.close)
