"""Reports once when log lines cannot be written to the file, and once when they can again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from vestibule.service_kit.logging.logging_config import log_health

CHECK_EVERY_S = 1.0
# Gets what is in the way, by the name of the system's error, or None when nothing is any more.
LogFailureHandler = Callable[[str | None], Awaitable[None]]


@asynccontextmanager
async def reporting_log_failures(on_change: LogFailureHandler) -> AsyncIterator[None]:
    """Call `on_change` at each change while the context is open."""
    watching = asyncio.create_task(_poll(on_change))
    try:
        yield
    finally:
        watching.cancel()


async def _poll(on_change: LogFailureHandler) -> None:
    log = structlog.get_logger("vestibule.log")
    reported: str | None = None
    while True:
        await asyncio.sleep(CHECK_EVERY_S)
        health = log_health().get("file")
        failure = health.failure if health else None
        if bool(failure) == bool(reported):
            continue
        if failure:
            # Where the file takes nothing, stdout may.
            log.error("log_not_written", reason=failure)
        reported = failure
        try:
            await on_change(failure)
        except Exception:
            log.exception("log_alert_failed")
