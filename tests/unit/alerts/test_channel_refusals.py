"""A channel that cannot be built refuses the start, with the reason: the process ends as one with invalid settings."""

from pathlib import Path

import pytest

from vestibule.alerts.builder import build_channels
from vestibule.alerts.channel import Timing
from vestibule.alerts.settings import AlertSettings
from vestibule.runtime.starts import StartRefused


@pytest.mark.parametrize(
    ("channels", "reason"),
    [
        (["webhook"], "needs VESTIBULE_ALERT_WEBHOOK_URL and VESTIBULE_ALERT_WEBHOOK_SECRET"),
        (["pigeon"], "unknown alert channels pigeon"),
    ],
)
def test_a_channel_that_cannot_be_built_refuses_the_start(channels: list[str], reason: str, tmp_path: Path) -> None:
    """The services log that reason, and commands show it as that of any invalid value."""
    settings = AlertSettings(data_dir=tmp_path, alert_channels=channels)
    with pytest.raises(StartRefused, match=reason) as refused:
        build_channels(settings, Timing.NOTIFICATION)
    assert isinstance(refused.value, ValueError)
