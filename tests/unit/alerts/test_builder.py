"""The settings choose the channels."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from vestibule.alerts import AlertSettings, AlertType, build_alert_engine


def test_an_unknown_channel_is_refused_at_start(tmp_path: Path) -> None:
    """A misspelled channel would lose every alert, so nothing starts with it; the message names those there are."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=["log", "pigeon"])
    with pytest.raises(ValueError, match=r"unknown alert channels pigeon; known are .*log, report_file, report_lines"):
        build_alert_engine("client", settings)


def test_a_group_that_alerts_keep_joining_is_notified_in_the_end() -> None:
    """The longest wait follows from the usual one, so that one setting is enough."""
    grouping = AlertSettings(alert_group_wait_s=4).alert_grouping
    assert (4, 60) == (grouping.quiet_s, grouping.wait_s)


async def test_a_channel_that_fails_is_logged_without_its_words(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """The log says which channel failed and why in numbers; the other channels have the alert."""
    (tmp_path / "error_reports").write_text("in the way")
    with structlog.testing.capture_logs() as lines:
        engine = build_alert_engine("client", AlertSettings(data_dir=tmp_path))
        await engine.raise_alert(AlertType.SECRET, "It happened.")
        await asyncio.to_thread(wait_until, lambda: len(lines) == 3)
    failure, _, alert = lines
    assert ("alert_channel_failed", "report_file") == (failure["event"], failure["channel"])
    assert ("alert", "It happened.", "error") == (alert["event"], alert["description"], alert["log_level"])
