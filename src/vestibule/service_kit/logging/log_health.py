"""Reports once when log lines cannot be written to the file, and once when they can again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from vestibule.runtime.background import in_background, repeat
from vestibule.service_kit.logging.logging_config import log_health

CHECK_EVERY_S = 1.0
# Gets what is in the way, by the name of the system's error, or None when nothing is any more.
LogFailureHandler = Callable[[str | None], Awaitable[None]]


@asynccontextmanager
async def reporting_log_failures(on_change: LogFailureHandler) -> AsyncIterator[None]:
    """Call `on_change` at each change while the context is open."""
    log = structlog.get_logger("vestibule.log")
    reported: str | None = None

    async def check() -> float:
        nonlocal reported
        health = log_health().get("file")
        failure = health.failure if health else None
        if bool(failure) != bool(reported):
            if failure:
                # Where the file takes nothing, stdout may.
                log.error("log_not_written", reason=failure)
            reported = failure
            await on_change(failure)
        return CHECK_EVERY_S

    def log_error(error: Exception) -> None:
        log.error("log_alert_failed", exc_info=error)

    loop = repeat(check, on_error=log_error, first_pause_s=CHECK_EVERY_S, error_pause_s=CHECK_EVERY_S)
    async with in_background(loop):
        yield
