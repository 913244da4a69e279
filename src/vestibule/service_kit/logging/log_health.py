"""Tells once when log lines cannot be written to the file, and once when they can again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from vestibule.service_kit.logging.logging_config import log_health

CHECK_EVERY_S = 1.0
# Gets what is in the way, by the name of the system's error, or None when nothing is any more.
LogFailureHandler = Callable[[str | None], Awaitable[None]]


@asynccontextmanager
async def monitoring_log(tell: LogFailureHandler) -> AsyncIterator[None]:
    """Have `tell` called at each change meanwhile."""
    watching = asyncio.create_task(_watch(tell))
    try:
        yield
    finally:
        watching.cancel()


async def _watch(tell: LogFailureHandler) -> None:
    log = structlog.get_logger("vestibule.log")
    told: str | None = None
    while True:
        await asyncio.sleep(CHECK_EVERY_S)
        health = log_health().get("file")
        trouble = health.trouble if health else None
        if bool(trouble) == bool(told):
            continue
        if trouble:
            # Where the file takes nothing, stdout may.
            log.error("log_not_written", reason=trouble)
        told = trouble
        try:
            await tell(trouble)
        except Exception:
            log.exception("log_alert_failed")
