"""Trouble with the log is told once, and so is its end."""

import asyncio
from typing import Any

import structlog

from vestibule.service_kit.logging import log_writer, logging_config
from vestibule.service_kit.logging.logging_config import flush_log, reporting_log_failures
from vestibule.service_kit.settings import ServiceSettings


async def test_trouble_is_told_once_and_so_is_its_end(
    settings: ServiceSettings, log_lines: Any, monkeypatch: Any
) -> None:
    """However many lines are lost; the end is seen although nothing is logged, and the log has the count."""
    monkeypatch.setattr(logging_config, "CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(log_writer, "RETRY_EVERY_S", 0.02)
    reported: asyncio.Queue[str | None] = asyncio.Queue()
    log = structlog.get_logger("x")
    log.info("before")
    assert 1 == len(log_lines())
    async with asyncio.timeout(60), reporting_log_failures(reported.put):
        for name in ("one", "two"):
            settings.log_dir.rename(settings.log_dir.with_name(name))
            settings.log_dir.write_text("in the way")
            for _ in range(5):
                log.info("lost")
                await asyncio.to_thread(flush_log)
            assert "ENOTDIR" == await reported.get()
            settings.log_dir.unlink()
            assert await reported.get() is None
            gap, *_ = log_lines()
            assert ("log_lines_lost", "ENOTDIR") == (gap["event"], gap["reason"])
            assert gap["lines"] >= 5
    assert reported.empty()


async def test_who_cannot_be_told_ends_nothing(settings: ServiceSettings, log_lines: Any, monkeypatch: Any) -> None:
    """The watch goes on, and tells of the next change."""
    monkeypatch.setattr(logging_config, "CHECK_EVERY_S", 0.02)
    monkeypatch.setattr(log_writer, "RETRY_EVERY_S", 0.02)
    reported: asyncio.Queue[str | None] = asyncio.Queue()

    async def tell(failure: str | None) -> None:
        await reported.put(failure)
        raise RuntimeError

    structlog.get_logger("x").info("before")
    flush_log()
    async with asyncio.timeout(60), reporting_log_failures(tell):
        settings.log_dir.rename(settings.log_dir.with_name("one"))
        settings.log_dir.write_text("in the way")
        structlog.get_logger("x").info("lost")
        assert "ENOTDIR" == await reported.get()
        settings.log_dir.unlink()
        assert await reported.get() is None
